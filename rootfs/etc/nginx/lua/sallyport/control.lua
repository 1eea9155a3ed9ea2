-- A request on the control socket → its answer.
-- It gives out digests and counts, never the value of an item.

local cjson = require("cjson.safe")
local data = require("sallyport.data")

local M = {
    requests = nil, -- function of GET /requests, while metrics are on
    spans = nil, -- function of POST /spans, while a collector is told of them
}

local function answer(status, value)
    ngx.status = status
    ngx.header["Content-Type"] = "application/json"
    ngx.print(cjson.encode(value))
end

local function fail(status, reason)
    answer(status, { error = reason })
end

-- body returns the request's body, from memory or from nginx's temporary file.
local function body()
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    if text then
        return text
    end
    local path = ngx.req.get_body_file()
    if not path then
        return ""
    end
    local file, err = io.open(path, "rb")
    if not file then
        return nil, err
    end
    text = file:read("*a")
    file:close()
    return text
end

local function push()
    local text, err = body()
    if not text then
        return fail(500, err)
    end
    local version, status, reason = data.apply(text)
    if not version then
        return fail(status, reason)
    end
    answer(200, { version = version })
end

local handlers = {
    ["/data"] = {
        POST = push,
        GET = function() answer(200, { keys = data.digests() }) end,
    },
    ["/status"] = {
        GET = function() answer(200, data.status()) end,
    },
    ["/leave"] = {
        POST = function()
            data.leave()
            answer(200, {})
        end,
    },
    ["/requests"] = {
        GET = function()
            if not M.requests then
                return fail(404, "metrics are off")
            end
            answer(200, M.requests())
        end,
    },
    -- It takes them out: whoever asks is the only one.
    ["/spans"] = {
        POST = function()
            if not M.spans then
                return answer(200, { dropped = 0 })
            end
            local args = ngx.req.get_uri_args()
            ngx.header["Content-Type"] = "application/json"
            ngx.print(M.spans(tonumber(args.least), tonumber(args.most)))
        end,
    },
}

--- control answers a request on the control socket.
function M.control()
    local methods = handlers[ngx.var.uri]
    if not methods then
        return fail(404, "no such path")
    end
    local handler = methods[ngx.req.get_method()]
    if not handler then
        return fail(405, "no such method")
    end
    handler()
end

return M
