-- Which other sites may use a response: preflight requests are answered here,
-- and each response says so in its header, whatever the backend said.

local M = {}

local ngx = ngx
local var = ngx.var
local get_method = ngx.req.get_method
local find, lower, sub = string.find, string.lower, string.sub

-- compile returns the origins without a wildcard, as a set, and the parts
-- before and after the wildcard of the others.
local function compile(origins)
    local exact, wildcards = {}, {}
    for _, origin in ipairs(origins) do
        local before, after = origin:match("^(%l[%w+.-]*://)%*(%..+)$")
        if before then
            wildcards[#wildcards + 1] = { before = before, after = after }
        else
            exact[origin] = true
        end
    end
    return exact, wildcards
end

-- fits compares all of an origin: what the wildcard stands for is one label.
local function fits(wildcard, origin)
    local before, after = wildcard.before, wildcard.after
    local length = #origin - #before - #after
    return length > 0
        and sub(origin, 1, #before) == before
        and sub(origin, -#after) == after
        and find(sub(origin, #before + 1, #before + length), "^[%w_-]+$") ~= nil
end

local function vary()
    local old = ngx.header["Vary"]
    if old == nil then
        ngx.header["Vary"] = "Origin"
        return
    end
    local text = type(old) == "table" and table.concat(old, ", ") or old
    if not find(lower(", " .. text .. ","), "[, ]origin *,") then
        ngx.header["Vary"] = text .. ", Origin"
    end
end

function M.prepare(value)
    local any = value.any
    local exact, wildcards = compile(value.origins or {})
    local others = {} -- names and values in turn
    local function other(name, text)
        others[#others + 1] = "Access-Control-" .. name
        others[#others + 1] = text or "" -- that takes the backend's away
    end
    other("Allow-Credentials", value.credentials and "true")
    other("Allow-Methods", value.methods)
    other("Allow-Headers", value.headers)
    other("Expose-Headers", value.expose)
    other("Max-Age", tostring(value.maxAge))

    -- allowed returns what Access-Control-Allow-Origin says, or nil.
    local function allowed()
        if any then
            return "*"
        end
        local origin = var.http_origin
        if not origin then
            return nil
        end
        local text = lower(origin)
        if exact[text] then
            return origin
        end
        for i = 1, #wildcards do
            if fits(wildcards[i], text) then
                return origin
            end
        end
        return nil
    end

    local function rewrite()
        if get_method() == "OPTIONS" and allowed() then
            return ngx.exit(204)
        end
    end

    local function header()
        if not any then
            vary()
        end
        local origin = allowed()
        if not origin then
            return
        end
        local out = ngx.header
        out["Access-Control-Allow-Origin"] = origin
        for i = 1, #others, 2 do
            out[others[i]] = others[i + 1]
        end
    end

    return { rewrite = rewrite, header = header }
end

return M
