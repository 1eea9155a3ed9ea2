-- A route whose requests are all sent elsewhere, before anything else.

local words = require("sallyport.words")

local M = {}

function M.prepare(value)
    local target = words.compile(value.to)
    local code = value.code
    return {
        rewrite = function()
            ngx.header["Location"] = words.visible(target())
            return ngx.exit(code)
        end,
    }
end

return M
