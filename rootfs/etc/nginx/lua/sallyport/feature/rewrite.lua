-- What an endpoint is asked for in the place of the request's own path. It is
-- put together here rather than by nginx's rewrite, which has had memory faults
-- with groups and question marks, and reads what it gets as a program.

local words = require("sallyport.words")

local M = {}

local ngx = ngx

function M.prepare(value)
    local path = words.compile(value.path)
    local args = value.args and words.compile(value.args, words.argument)
    local prefix = value.prefix and words.compile(value.prefix)

    local function rewrite()
        local target = path()
        if target:byte() ~= 0x2f then
            target = "/" .. target
        end
        if prefix then
            ngx.req.set_header("X-Forwarded-Prefix", words.visible(prefix()))
        end
        if args then
            local own = ngx.var.args
            ngx.req.set_uri_args(own and args() .. "&" .. own or args())
        end
        -- The groups of the location's expression are gone after this.
        ngx.req.set_uri(target, false, true)
    end

    return { rewrite = rewrite }
end

return M
