-- Who answers what a route's own backend can't: the default backend, in the
-- location @errors. nginx comes there by error_page with the error's status,
-- which it puts into the answer unless status() says otherwise: what fails here
-- stays an error.

local routes = require("sallyport.routes")

local M = {}

local var = ngx.var

--- prepare: without an endpoint, @errors is asked. Whoever restricts access
-- comes before this step.
function M.prepare(errors)
    if not errors.unavailable then
        return {}
    end
    return {
        access = function(route)
            if route.backend.size == 0 then
                return ngx.exec("@errors")
            end
        end,
    }
end

local function refusal(status)
    return status == 401 or status == 403
end

--- rewrite hands the request to the default backend.
function M.rewrite()
    local value = routes.get(var.route).value
    local status = ngx.status
    if status == 0 then
        status = 503
    end
    local errors = value.errors
    if not errors or not errors.route then
        return ngx.exit(refusal(status) and status or 404)
    end
    local set = ngx.req.set_header
    set("X-Code", status)
    set("X-Format", var.http_accept)
    set("X-Original-URI", var.request_uri)
    set("X-Namespace", value.namespace)
    set("X-Ingress-Name", value.ingress)
    set("X-Service-Name", value.service)
    set("X-Service-Port", value.port)
    var.route = errors.route
end

--- status is what the default backend answered, but that a refusal stays an
-- error: who reads a page with 200 believes to be let in (CVE-2026-24513).
function M.status()
    local got = tonumber((var.upstream_status or ""):match("(%d+)%s*$"))
    if got and got >= 200 and not (refusal(ngx.status) and got < 400) then
        ngx.status = got
    end
end

return M
