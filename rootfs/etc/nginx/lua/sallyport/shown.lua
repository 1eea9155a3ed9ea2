-- The variables of a route that the access log shows → their values, when the
-- request is logged: nginx writes its line after Lua's log phase.

local routes = require("sallyport.routes")

local M = {}

local var = ngx.var

-- The field of the route's item that each variable has.
local FIELDS = {
    namespace = "namespace",
    ingress_name = "ingress",
    service_name = "service",
    service_port = "port",
    location_path = "path",
}

--- prepare returns the step of those variables.
function M.prepare(names)
    return function()
        local id = var.route
        if id == "" then
            return
        end
        local value = routes.get(id).value
        for i = 1, #names do
            local text = value[FIELDS[names[i]]]
            if type(text) == "string" then
                var[names[i]] = text
            end
        end
    end
end

return M
