-- A route id → what the controller pushed of that route, decoded once for each
-- change. The path of a plain request through get() is one look-up in shared
-- memory and one in a table; LuaJIT compiles it into the balancer's trace.

local cjson = require("cjson.safe")
local items = require("sallyport.data")
local retire = require("sallyport.retire")

local M = {}

local data = items.dict

local seen        -- version of the data that this worker has looked at
local epoch = 0   -- grows with each version seen
local routes = {} -- by id: { id, epoch, text, value, name, … what others keep }
local renewed     -- function of each route when its epoch is renewed

--- decode returns the table that an item is, or an empty one.
function M.decode(key, text)
    local value, err = cjson.decode(text)
    if type(value) ~= "table" then
        ngx.log(ngx.ERR, "item ", key, " is malformed: ", err)
        return {}
    end
    return value
end

local function renew(id)
    id = id or ""
    local route = routes[id]
    if not route then
        route = { id = id }
        routes[id] = route
    end
    local key = "r:" .. id
    local text = data:get(key)
    if route.text ~= text or not route.value then
        local value = text and M.decode(key, text) or {}
        route.text = text
        route.value = value
        route.name = type(value.name) == "string" and value.name or "-"
        route.steps = nil
    end
    route.epoch = epoch
    renewed(route)
    return route
end

local function refresh(version)
    seen = version
    epoch = epoch + 1
    retire.check()
end

--- get returns a route. One that there is no item of has no text.
function M.get(id)
    local version = data:get("version")
    if version ~= seen then
        refresh(version)
    end
    local route = routes[id]
    if not route or route.epoch ~= epoch then
        route = renew(id)
    end
    return route
end

--- epoch is that of the data: whoever keeps something made of it, renews it
-- when this has changed.
function M.epoch()
    return epoch
end

--- init runs in the master. renew is called with a route after each change of
-- the data, when the route is next asked for.
function M.init(renew_route)
    renewed = renew_route
end

return M
