-- A template of the controller's, literal texts and variables → a text of one
-- request.

local M = {}

local ngx = ngx
local var = ngx.var

local function escape_byte(c)
    return ("%%%02X"):format(c:byte())
end

--- visible escapes what has no place in a header: decoded paths, and groups of
-- them, can hold anything.
function M.visible(text)
    if text:find("%c") then
        return (text:gsub("%c", escape_byte))
    end
    return text
end

--- argument escapes what would end an argument or be decoded again, and leaves
-- "=" and "/", as nginx does with a group that stands in arguments.
function M.argument(text)
    return (text:gsub('[%c %z\128-\255"#%%&+;<>?\\^`{|}]', escape_byte))
end

--- authority is the Host that the client named, with its port. A request line
-- may name another one, by which nginx then chose the server: that one counts, or
-- a client could have itself asked about for one host and be served by another.
function M.authority()
    local named, host = var.http_host, var.host
    if named then
        local bare = named:match("^%[[^]]*%]") or named:match("^[^:]*")
        if bare:lower():gsub("%.$", "") == host then
            return named
        end
    end
    return host
end

-- Variables that nginx has not, or that need not be those of the server.
local COMPUTED = {
    http_host = M.authority,
    best_http_host = M.authority,
    escaped_request_uri = function()
        return ngx.escape_uri(var.request_uri)
    end,
    pass_access_scheme = function()
        return var.pass_access_scheme or var.scheme
    end,
}

--- compile returns a function of the request that writes the parts down one
-- after the other. A part begins with "=" where it is literal, and else names a
-- variable, or a group of the location's expression by its number. Each value of
-- a variable goes through escape, where there is one.
function M.compile(parts, escape)
    local texts, names = {}, {}
    for i, part in ipairs(parts) do
        if part:byte() == 0x3d then
            texts[i] = part:sub(2)
        else
            names[i] = tonumber(part) or part
        end
    end
    local count = #parts
    local function text_of(i)
        local text = texts[i]
        if text then
            return text
        end
        local name = names[i]
        local computed = COMPUTED[name]
        text = computed and computed() or var[name] or ""
        return escape and escape(text) or text
    end
    -- Most are short: no table is made for them.
    if count == 1 then
        return function()
            return text_of(1)
        end
    elseif count == 2 then
        return function()
            return text_of(1) .. text_of(2)
        end
    end
    return function()
        local out = {}
        for i = 1, count do
            out[i] = text_of(i)
        end
        return table.concat(out)
    end
end

return M
