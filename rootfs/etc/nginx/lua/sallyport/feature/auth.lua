-- Another server says whether a request may come in. Whatever it does not say
-- clearly is a no.

local ask = require("sallyport.ask")
local authrequest = require("sallyport.authrequest")
local balancer = require("sallyport.balancer")
local cjson = require("cjson.safe")
local words = require("sallyport.words")

local M = {}

local ngx = ngx
local var = ngx.var
local find, gsub, lower = string.find, string.gsub, string.lower

-- Statuses beside which cookies are set; nginx's add_header has the same.
local COOKIE_STATUSES = {}
for status in ("200 201 204 206 301 302 303 304 307 308"):gmatch("%d+") do
    COOKIE_STATUSES[tonumber(status)] = true
end

local plain = authrequest.plain

-- Where nginx asks itself.
local own_address, own_tls_address

--- init runs in the master.
function M.init(own, own_tls)
    own_address, own_tls_address = own, own_tls
end

-- client_of writes the PROXY header by which nginx knows whom it asks itself for:
-- lists of addresses and limits are to see the client, and not this machine.
local function client_of(port)
    local address = var.remote_addr
    if not address:find("^[%x.:]+$") then
        return "PROXY UNKNOWN\r\n"
    end
    local six = address:find(":", 1, true)
    return ("PROXY %s %s %s %s %d\r\n"):format(
        six and "TCP6" or "TCP4", address, six and "::" or "0.0.0.0", var.remote_port, port)
end

local function target_of(value)
    local own, backend = value.own, value.backend
    return {
        peer = function()
            if own then
                return value.tls and own_tls_address or own_address
            end
            return balancer.pick(backend)
        end,
        before = own and function()
            return client_of(own)
        end,
        name = function()
            if own then
                return var.host
            end
            return value.name
        end,
        tls = value.tls, method = value.method, pool = "auth:" .. value.scope .. ":",
        idle = not own and value.idle or 0, idle_requests = value.idleRequests, idle_time = value.idleTime,
        connect = value.connect, send = value.send, read = value.read,
    }
end

local function remember(value, key, answer)
    local dict = ngx.shared.sallyport_auth
    local control = lower(table.concat(answer.header["cache-control"] or {}, ","))
    local seconds = value.seconds[tostring(answer.status)]
    if not dict or not seconds or answer.header["set-cookie"] or find(control, "no%-store")
        or find(control, "no%-cache") or find(control, "private") then
        return
    end
    local kept = { ["www-authenticate"] = answer.header["www-authenticate"] }
    for _, name in ipairs(value.headers or {}) do
        kept[lower(name)] = answer.header[lower(name)]
    end
    -- What does not fit drops what was not asked for the longest time.
    dict:set(key, cjson.encode({ status = answer.status, header = kept }), seconds)
end

local function remembered(key)
    local dict = ngx.shared.sallyport_auth
    local text = dict and dict:get(key)
    local answer = text and cjson.decode(text)
    return type(answer) == "table" and answer or nil
end

-- clear takes what only the server may say out of the request, under each name
-- by which endpoints may know it: X_A-B is X-A-B to many.
local function clear(names)
    if not next(names) then
        return
    end
    for name in pairs(ngx.req.get_headers(0, true)) do
        if names[plain(name)] then
            ngx.req.clear_header(name)
        end
    end
end

-- measured writes a part of a key so that no two lists of parts give one text.
local function measured(text)
    return #text .. ":" .. text
end

local function refuse(why)
    ngx.log(ngx.ERR, "auth-url: ", why)
    return ngx.exit(500)
end

local function signin_of(value)
    if not value.signin then
        return nil
    end
    local url, param = words.compile(value.signin), value.param
    return function()
        local text = url()
        if param then
            local host = gsub(ngx.escape_uri(words.authority()), "%%3A", ":")
            text = text .. (find(text, "?", 1, true) and "&" or "?") .. param .. "="
                .. var.scheme .. "://" .. host .. ngx.escape_uri(var.request_uri)
        end
        ngx.header["Location"] = words.visible(text)
        return ngx.exit(302)
    end
end

--- prepare: value is model.Auth.
function M.prepare(value, route)
    local write, target, signin = authrequest.writer(value), target_of(value), signin_of(value)
    local cache_key = value.cacheKey and words.compile(value.cacheKey, measured)
    local names, ours = value.headers or {}, {}
    for _, name in ipairs(names) do
        ours[plain(name)] = true
    end
    -- Either this or a digest is enough.
    local either = route.value.any and route.value.digest
    value.seconds = {}
    for _, text in ipairs(value.cacheFor or {}) do
        local status, seconds = text:match("^(%d+)=([%d.]+)$")
        value.seconds[status] = tonumber(seconds)
    end

    -- begin writes the request to the server while the client's headers are
    -- there, and then takes those away that it must not say itself.
    local function begin()
        local ctx = ngx.ctx
        if not ctx.auth_text then
            ctx.auth_text = write()
            ctx.auth_key = cache_key and ngx.sha1_bin(value.scope .. cache_key())
            clear(ours)
        end
        return ctx
    end

    local function answer_of(ctx)
        local key = ctx.auth_key
        local answer = key and remembered(key)
        if answer then
            return answer
        end
        local err
        answer, err = ask.ask(target, ctx.auth_text)
        if answer and key then
            remember(value, key, answer)
        end
        return answer, err
    end

    local function access(_, granted)
        if either and granted then
            return true
        end
        if var.http_x_sallyport_auth then
            return refuse("the server is asked about its own requests")
        end
        local ctx = begin()
        local answer, err = answer_of(ctx)
        if not answer then
            return refuse(err)
        end
        local status, header = answer.status, answer.header
        ctx.auth_cookies = header["set-cookie"]
        if status >= 200 and status < 300 then
            if either then
                ngx.header["WWW-Authenticate"] = nil
            end
            for i = 1, #names do
                local list = header[lower(names[i])]
                if list then
                    ngx.req.set_header(names[i], #list == 1 and list[1] or list)
                end
            end
            return true
        elseif status == 401 and signin then
            return signin()
        elseif status == 401 then
            if header["www-authenticate"] or not either then
                ngx.header["WWW-Authenticate"] = header["www-authenticate"]
            end
            return ngx.exit(401)
        elseif status == 403 then
            -- The digest may still be given, as nginx has it for passwords.
            return ngx.exit(either and 401 or 403)
        end
        return refuse("it answered " .. status)
    end

    local function set_cookies()
        local cookies = ngx.ctx.auth_cookies
        if not cookies or not (value.cookies or COOKIE_STATUSES[ngx.status]) then
            return
        end
        local old = ngx.header["Set-Cookie"]
        local all = {}
        for _, cookie in ipairs(type(old) == "table" and old or { old }) do
            all[#all + 1] = cookie
        end
        for _, cookie in ipairs(cookies) do
            all[#all + 1] = cookie
        end
        ngx.header["Set-Cookie"] = all
        ngx.ctx.auth_cookies = nil
    end

    return {
        -- Where another check is enough, the access phase may be passed over.
        rewrite = route.value.any and begin or nil,
        access = access,
        header = set_cookies,
    }
end

return M
