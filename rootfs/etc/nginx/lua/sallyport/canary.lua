-- A request → whether it is the canary's, by header, then cookie, then weight.

local M = {}

local var = ngx.var
local random = math.random

-- wants returns what the header says, or nil where it leaves it to others.
local function wants(value)
    if not value.header_variable then
        return nil
    end
    local text = var[value.header_variable]
    if not text then
        return nil
    end
    if value.value then
        return text == value.value or nil
    elseif value.pattern then
        return ngx.re.find(text, value.pattern, "jo") ~= nil or nil
    elseif text == "always" then
        return true
    elseif text == "never" then
        return false
    end
end

--- takes says whether a request goes to the canary.
function M.takes(value)
    local header = wants(value)
    if header ~= nil then
        return header
    end
    if value.cookie then
        local text = var["cookie_" .. value.cookie]
        if text == "always" then
            return true
        elseif text == "never" then
            return false
        end
    end
    return value.weight > 0 and random(value.total) <= value.weight
end

--- prepare makes a route's data ready for that.
function M.prepare(value)
    if value.header then
        value.header_variable = "http_" .. value.header:lower():gsub("-", "_")
    end
    return value
end

return M
