-- Requests without TLS → https, where something else of the route comes first.

local M = {}

function M.prepare(value)
    local code, keep = value.code, value.keep
    return {
        rewrite = function()
            if ngx.var.to_https == "" then
                return
            end
            local path = keep and ngx.var.request_uri or ngx.var.uri_without_slash
            ngx.header["Location"] = "https://" .. ngx.var.host .. path
            return ngx.exit(code)
        end,
    }
end

return M
