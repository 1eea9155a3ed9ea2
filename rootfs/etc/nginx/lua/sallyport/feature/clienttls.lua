-- The client's certificate → headers for the backend, and a 403 where its common
-- name is not the one that is wanted. In the rewrite phase: the access phase is
-- passed over where "satisfy any" is content with an address.

local M = {}

local var = ngx.var
local req = ngx.req
local find = ngx.re.find

local HEADERS = { "ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert" }

-- common_name says whether a subject, as RFC 2253 writes it, has a common name
-- that matches. A comma or plus within a value has a backslash before it.
local function common_name(subject, pattern)
    subject = subject:gsub("\\(.)", function(c)
        return ("\\%02x"):format(c:byte())
    end)
    for part in subject:gmatch("[^,+]+") do
        if part:sub(1, 3) == "CN=" then
            part = part:gsub("\\(%x%x)", function(hex)
                return string.char(tonumber(hex, 16))
            end)
            local from, _, err = find(part, pattern, "jo")
            if err then
                ngx.log(ngx.ERR, "auth-tls-match-cn: ", err)
            end
            if from and not err then
                return true
            end
        end
    end
    return false
end

--- prepare: value.verify is the mode, value.pass sends the certificate,
-- value.cn is an expression.
function M.prepare(value)
    local needed = value.verify == "on"
    local function rewrite()
        local secure = var.https == "on"
        if needed and not (secure and var.ssl_client_verify == "SUCCESS") then
            return ngx.exit(403)
        end
        if value.cn and not common_name(secure and var.ssl_client_s_dn or "", value.cn) then
            return ngx.exit(403)
        end
        for i = 1, #HEADERS do
            req.clear_header(HEADERS[i])
            req.clear_header((HEADERS[i]:gsub("-", "_")))
        end
        req.set_header("ssl-client-verify", secure and var.ssl_client_verify or "NONE")
        if secure then
            req.set_header("ssl-client-subject-dn", var.ssl_client_s_dn)
            req.set_header("ssl-client-issuer-dn", var.ssl_client_i_dn)
            if value.pass then
                req.set_header("ssl-client-cert", var.ssl_client_escaped_cert)
            end
        end
    end
    return { rewrite = rewrite }
end

return M
