-- A request → a span: it is given a context before anything is decided about
-- it, and what it came to is recorded at its end.

local context = require("sallyport.context")
local spans = require("sallyport.spans")
local words = require("sallyport.words")

local M = {}

local ngx = ngx
local var = ngx.var

-- More of a text is of no use to a reader, and memory for spans is bounded.
local LONGEST = 1024

local function short(text)
    return text and text:sub(1, LONGEST)
end

local function begin(trust)
    local trace, parent, sampled
    if trust then
        trace, parent, sampled = context.incoming()
    end
    if not trace then
        trace = var.request_id
    end
    if sampled == nil or not spans.parent_based then
        sampled = spans.sample(trace)
    end
    local span = ngx.md5(var.request_id):sub(1, 16)
    context.outgoing(trace, span, sampled, parent)
    var.span_context = trace .. span .. (parent or "-") .. (sampled and "1" or "0")
end

-- What the route says of itself is known before any request.
local function naming(value, route)
    local r = route.value
    if not value.name then
        local path = r.path
        return function()
            return var.request_method .. " " .. path
        end
    end
    local own = {
        namespace = r.namespace, ingress_name = r.ingress, service_name = r.service,
        service_port = r.port, location_path = r.path,
    }
    local parts = {}
    for i, part in ipairs(value.name) do
        parts[i] = own[part] and "=" .. own[part] or part
    end
    return words.compile(parts)
end

local function record(name, r)
    local state = var.span_context
    if not state or state == "" or state:sub(-1) ~= "1" then
        return
    end
    local start = ngx.req.start_time()
    local parent = state:sub(49, -2)
    spans.add({
        trace = state:sub(1, 32), span = state:sub(33, 48), parent = #parent == 16 and parent or nil,
        state = short(var.http_tracestate), name = short(name()),
        start = start, finish = start + tonumber(var.request_time), status = ngx.status,
        method = var.request_method, target = short(var.request_uri), host = short(var.http_host),
        server = var.server_name, scheme = var.scheme, protocol = var.server_protocol,
        agent = short(var.http_user_agent),
        client = var.remote_addr, client_port = tonumber(var.remote_port), port = tonumber(var.server_port),
        namespace = r.namespace, ingress = r.ingress, service = r.service, upstream = r.backend,
        endpoint = short(var.upstream_addr),
    })
end

function M.prepare(value, route)
    local name = naming(value, route)
    return {
        rewrite = function()
            if var.span_context == "" then -- not begun before an internal redirect
                begin(value.trust)
            end
        end,
        log = spans.told() and function()
            record(name, route.value)
        end or nil,
    }
end

return M
