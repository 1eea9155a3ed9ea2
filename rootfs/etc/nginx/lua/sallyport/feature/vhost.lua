-- The Host header that endpoints see, where it is not the request's.

local M = {}

local var = ngx.var

function M.prepare(host)
    return {
        rewrite = function()
            var.upstream_host = host
        end,
    }
end

return M
