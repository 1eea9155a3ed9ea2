-- What a request's path was rewritten to, in the error log.

local M = {}

function M.prepare()
    return {
        rewrite = function()
            local asked, path = ngx.var.request_uri:match("^[^?]*"), ngx.var.uri
            if ngx.unescape_uri(asked) == path then
                ngx.log(ngx.NOTICE, "path ", asked, " is not rewritten")
            else
                ngx.log(ngx.NOTICE, "path ", asked, " is rewritten to ", path)
            end
        end,
    }
end

return M
