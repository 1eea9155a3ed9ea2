-- Requests of "/" → the path where the application begins.

local words = require("sallyport.words")

local M = {}

function M.prepare(value)
    return {
        rewrite = function()
            if ngx.var.uri == "/" then
                local host = words.visible(words.authority())
                ngx.header["Location"] = ngx.var.scheme .. "://" .. host .. value
                return ngx.exit(302)
            end
        end,
    }
end

return M
