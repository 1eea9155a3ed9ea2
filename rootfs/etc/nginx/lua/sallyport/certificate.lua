-- A TLS server name → the certificate and key of the handshake.
-- Nothing is parsed in a handshake but a certificate that this worker has not
-- served before, and nothing is kept for names that a client makes up.

local cjson = require("cjson.safe")
local ffi = require("ffi")
local clienthello = require("ngx.ssl.clienthello")
local ssl = require("ngx.ssl")

local M = {}

ffi.cdef[[
void *OPENSSL_sk_value(const void *stack, int index);
int X509_check_private_key(const void *certificate, const void *key);
void ERR_clear_error(void);
]]

local data = ngx.shared.sallyport_data
local SWEEP_SECONDS = 60

local parsed = {} -- by certificate id: { chain, key }, or false where it is broken
local swept = 0
local rejects = false

-- sweep forgets certificates that have gone from the data.
local function sweep()
    local now = ngx.now()
    if now - swept < SWEEP_SECONDS then
        return
    end
    swept = now
    for id in pairs(parsed) do
        if not data:get("c:" .. id) then
            parsed[id] = nil
        end
    end
end

local function parse(text)
    local value, err = cjson.decode(text)
    if type(value) ~= "table" or type(value.chain) ~= "string" or type(value.key) ~= "string" then
        return nil, err or "malformed item"
    end
    local chain, key
    chain, err = ssl.parse_pem_cert(value.chain)
    if not chain then
        return nil, err
    end
    key, err = ssl.parse_pem_priv_key(value.key)
    if not key then
        return nil, err
    end
    if ffi.C.X509_check_private_key(ffi.C.OPENSSL_sk_value(chain, 0), key) ~= 1 then
        ffi.C.ERR_clear_error()
        return nil, "the key is not that of the certificate"
    end
    return { chain = chain, key = key }
end

-- of returns the parsed certificate of an id, or nil.
local function of(id)
    local certificate = parsed[id]
    if certificate == nil then
        sweep()
        local text = data:get("c:" .. id)
        if not text then
            return nil
        end
        local err
        certificate, err = parse(text)
        if not certificate then
            ngx.log(ngx.ERR, "certificate ", id, " cannot be used: ", err)
            certificate = false
        end
        parsed[id] = certificate
    end
    return certificate or nil
end

-- look_up returns the certificate of a host, and whether the host is known at
-- all: one without a certificate of its own has the id "".
local function look_up(host)
    local text = data:get("h:" .. host)
    if not text then
        return nil, false
    end
    local id = cjson.decode(text)
    return type(id) == "string" and of(id) or nil, true
end

-- server_name is what a client asks for, in the phase of its hello and in that
-- of a context of a server's own, in which the hello can't be read any more.
local function server_name()
    if ngx.get_phase() == "ssl_cert" then
        return ssl.server_name()
    end
    return clienthello.get_client_hello_server_name()
end

local function find(name)
    local certificate, known
    if name then
        name = name:lower():gsub("%.$", "")
        certificate, known = look_up(name)
        local dot = name:find(".", 1, true)
        if not known and dot then
            certificate, known = look_up("*" .. name:sub(dot))
        end
    end
    return certificate or look_up(""), known
end

--- init runs in the master. reject: a client that asks for no known host gets
-- no handshake.
function M.init(reject)
    rejects = reject
end

--- certificate answers a client's hello: before nginx knows which server it
-- is for, so that one server's TLS configuration serves all. Where there is
-- nothing that can be used, it leaves the certificate that nginx.conf names.
-- A server with a context of its own drops what was set here, and calls it again.
function M.certificate()
    local certificate, known = find(server_name())
    if rejects and not known then
        return ngx.exit(ngx.ERROR)
    end
    if not certificate then
        return
    end
    -- Or an RSA default beside an ECDSA one of ours would be offered too.
    local ok, err = ssl.clear_certs()
    if ok then
        ok, err = ssl.set_cert(certificate.chain)
    end
    if ok then
        ok, err = ssl.set_priv_key(certificate.key)
    end
    if not ok then
        ngx.log(ngx.ERR, "certificate cannot be set: ", err)
    end
end

return M
