-- What a server is told of a request that it is asked about: the client's own
-- header, but for what we say.

local words = require("sallyport.words")

local M = {}

local ngx = ngx
local var = ngx.var
local find, gsub, lower = string.find, string.gsub, string.lower

-- Headers of the client's that are of its connection or its body, or that say
-- of the request what we say.
local OURS = {}
for name in ([[
    host connection keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings content-length
    expect proxy range if-match if-none-match if-modified-since if-unmodified-since if-range
    x-original-url x-original-method x-original-uri x-sent-from x-real-ip x-forwarded-for x-forwarded-proto
    x-forwarded-host x-forwarded-uri x-forwarded-method x-forwarded-port x-scheme x-auth-request-redirect x-request-id
    x-sallyport-auth
]]):gmatch("%S+") do
    OURS[name] = true
end

-- The header by which nginx believes its own requests of who the client is.
local client_header

--- init is told that header.
function M.init(name)
    client_header = name
    if name then
        OURS[lower(name)] = true
    end
end

-- plain is a header's name as servers see it that take _ for -.
local function plain(name)
    return (gsub(lower(name), "_", "-"))
end

M.plain = plain

local function escape_byte(c)
    return ("%%%02X"):format(c:byte())
end

-- line writes a text into a request line.
local function line(text)
    return (gsub(text, "[%c ]", escape_byte))
end

-- headers_of compiles "#name" and the parts after it.
local function headers_of(list)
    local all = {}
    for _, text in ipairs(list) do
        if text:byte() == 0x23 then
            all[#all + 1] = { name = text:sub(2), parts = {} }
        else
            local parts = all[#all].parts
            parts[#parts + 1] = text
        end
    end
    for _, header in ipairs(all) do
        header.value = words.compile(header.parts)
    end
    return all
end

-- asked_for is what the client asked for, as one URL.
local function asked_for()
    return var.scheme .. "://" .. words.authority() .. var.request_uri
end

-- other_id is a request's identity that only the server sees.
local function other_id()
    local shared = var.req_id
    if shared == "" then
        return shared
    end
    return var.http_x_request_id or ngx.md5(shared .. "auth")
end

--- writer returns a function that writes the request to the server. value is
-- model.Auth.
function M.writer(value)
    local uri = words.compile(value.uri)
    local redirect = value.redirect and words.compile(value.redirect)
    local more = headers_of(value.set or {})
    local skip = setmetatable({}, { __index = OURS })
    for _, header in ipairs(more) do
        skip[plain(header.name)] = true
    end

    return function()
        local out, n = { value.method .. " " .. line(uri()) .. " HTTP/1.1" }, 1
        local function add(name, text)
            n = n + 1
            out[n] = name .. ": " .. words.visible(text)
        end
        for name, text in pairs(ngx.req.get_headers(0, true)) do
            if not skip[plain(name)] and not find(name, "[^%w_.!#$&'*+^`|~%%-]") then
                if type(text) == "table" then
                    for _, one in ipairs(text) do
                        add(name, one)
                    end
                else
                    add(name, tostring(text))
                end
            end
        end
        local ours = {
            ["X-Original-URL"] = asked_for(),
            ["X-Original-Method"] = var.request_method,
            ["X-Original-URI"] = var.request_uri,
            ["X-Sent-From"] = "nginx-ingress-controller",
            ["X-Real-IP"] = var.remote_addr,
            ["X-Forwarded-For"] = var.remote_addr,
            ["X-Forwarded-Proto"] = var.pass_access_scheme or var.scheme,
            ["X-Forwarded-Host"] = words.authority(),
            ["X-Scheme"] = var.pass_access_scheme or var.scheme,
            ["X-Auth-Request-Redirect"] = redirect and redirect() or var.request_uri,
            ["X-Request-ID"] = value.otherID and other_id() or var.req_id,
        }
        if client_header then
            ours[client_header] = var.remote_addr
        end
        for _, header in ipairs(more) do
            for name in pairs(ours) do
                if plain(name) == plain(header.name) then
                    ours[name] = nil
                end
            end
            add(header.name, header.value())
        end
        for name, text in pairs(ours) do
            add(name, text)
        end
        add("Host", value.host or var.host)
        add("X-Sallyport-Auth", "1")
        if value.method ~= "GET" and value.method ~= "HEAD" then
            add("Content-Length", "0")
        end
        if not value.idle then
            add("Connection", "close")
        end
        out[n + 1] = "\r\n"
        return table.concat(out, "\r\n")
    end
end

return M
