-- A request in one of nginx's phases → the steps of its route.
-- A location of nginx.conf calls a phase only where its route had a step there
-- when the file was made; what the step does is data.

local routes = require("sallyport.routes")

local M = {}

local var = ngx.var

-- The features, in the order of their steps. Each is a field of the route's
-- item and a module sallyport.feature.NAME with
--   prepare(value, route) → { rewrite = f, access = f, header = f, log = f }
-- where each f, of the route and of whether a step before it let the request in,
-- is a step in that phase. A step that answers the
-- request by itself ends it with ngx.exit or ngx.redirect.
local FEATURES = {
    "tracing",
    "redirect",
    "cors",
    "approot",
    "https",
    "clienttls",
    "limit",
    "digest",
    "auth",
    "rewrite",
    "rewritelog",
    "protocol",
    "vhost",
    "headers",
    "errors",
}

local NAMES = { "rewrite", "access", "header", "log" }

local function compile(route)
    local steps = { rewrite = {}, access = {}, header = {}, log = {} }
    for _, name in ipairs(FEATURES) do
        local value = route.value[name]
        if value ~= nil then
            local feature = require("sallyport.feature." .. name).prepare(value, route)
            for _, phase in ipairs(NAMES) do
                steps[phase][#steps[phase] + 1] = feature[phase]
            end
        end
    end
    route.steps = steps
    return steps
end

local function run(phase)
    local route = routes.get(var.route)
    local list = (route.steps or compile(route))[phase]
    local granted
    for i = 1, #list do
        granted = list[i](route, granted) or granted
    end
    return route, granted
end

-- Without its data a route would be served without what restricts it: the
-- location names those features that it must have.
local function has(route, needs)
    if not route.text then
        return false
    end
    local id, names = needs:match("^(%x+)(.*)")
    if id == route.id then -- not left by a location before an internal redirect
        for name in names:gmatch("%a+") do
            if route.value[name] == nil then
                return false
            end
        end
    end
    return true
end

local function must_be_known()
    local route = routes.get(var.route)
    local needs = var.needs or ""
    -- Looked at once for each version of the data.
    if route.known_text == nil or route.known_text ~= route.text or route.known_needs ~= needs then
        if not has(route, needs) then
            ngx.log(ngx.ERR, "route ", var.route, " has no data")
            return ngx.exit(503)
        end
        route.known_text, route.known_needs = route.text, needs
    end
end

function M.rewrite()
    must_be_known()
    run("rewrite")
end

--- access: where any check is enough, nginx takes a phase that ends without
-- an answer for one that let the request in. So one in which no step returned
-- true, to say that it did, has to decline.
function M.access()
    must_be_known()
    local route, granted = run("access")
    if route.value.any and not granted then
        return ngx.exit(ngx.DECLINED)
    end
end

function M.header()
    run("header")
end

function M.log()
    run("log")
end

--- init runs in the master: what is loaded here, no worker has to load.
function M.init()
    for _, name in ipairs(FEATURES) do
        require("sallyport.feature." .. name)
    end
end

return M
