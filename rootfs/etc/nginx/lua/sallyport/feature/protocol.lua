-- A route whose endpoints don't speak HTTP → 503 where it has none: the server
-- that answers so in an endpoint's place speaks HTTP only.

local M = {}

local function rewrite(route)
    if route.backend.size == 0 then
        return ngx.exit(503)
    end
end

function M.prepare()
    return { rewrite = rewrite }
end

return M
