-- Digest authentication, as RFC 7616 has it, with MD5 and qop=auth.
-- A nonce is not kept: it says when it was made, signed with a key that all
-- workers share. What is kept, for as long as a nonce serves, is each count that
-- was used with it, and only of clients that knew a password.

local bit = require("bit")

local M = {}

local LIFETIME = 120 -- seconds that a nonce serves
local AHEAD = 5      -- seconds that another worker's clock may be ahead

local data = ngx.shared.sallyport_data
local key

-- secret returns the key, the same in all workers and after a reload.
local function secret()
    if key then
        return key
    end
    key = data:get("digest-key")
    if not key then
        local source = assert(io.open("/dev/urandom", "rb"))
        local random = source:read(32)
        source:close()
        assert(random and #random == 32)
        local ok, err = data:safe_add("digest-key", random)
        if not ok and err ~= "exists" then
            error("no room for a key: " .. err)
        end
        key = data:get("digest-key")
    end
    return key
end

local function hex(text)
    return (text:gsub(".", function(c)
        return ("%02x"):format(c:byte())
    end))
end

-- same compares two texts in a time that does not depend on where they differ.
local function same(a, b)
    if #a ~= #b then
        return false
    end
    local difference = 0
    for i = 1, #a do
        difference = bit.bor(difference, bit.bxor(a:byte(i), b:byte(i)))
    end
    return difference == 0
end

local function sign(text, scope)
    return hex(ngx.hmac_sha1(secret(), text .. ":" .. scope))
end

local function nonce(scope)
    local text = ("%08x%s"):format(ngx.time(), ngx.var.request_id)
    return text .. sign(text, scope)
end

-- age returns the seconds since a nonce of ours was made, nil for another's.
local function age(text, scope)
    if not text:find("^%x+$") or #text ~= 80 or not same(sign(text:sub(1, 40), scope), text:sub(41)) then
        return nil
    end
    return ngx.time() - tonumber(text:sub(1, 8), 16)
end

-- parse returns the parameters of an Authorization header, or nil.
local function parse(header)
    local rest = header and #header < 8192 and header:match("^[Dd][Ii][Gg][Ee][Ss][Tt] +(.*)$")
    if not rest then
        return nil
    end
    local all, at = {}, 1
    while at <= #rest do
        local name, from = rest:match("^[ \t]*([%w*_-]+)[ \t]*=[ \t]*()", at)
        if not name then
            return nil
        end
        local value, after = rest:match('^"([^"\\]*)"[ \t]*()', from)
        if not value then
            value, after = rest:match("^([^%s,\"\\=]+)[ \t]*()", from)
        end
        name = name:lower()
        if not value or all[name] then
            return nil
        end
        all[name] = value
        if after <= #rest and rest:sub(after, after) ~= "," then
            return nil
        end
        at = after + 1
    end
    return all
end

local function well_formed(p)
    return p and p.username and p.realm and p.nonce and p.uri and p.response and p.cnonce
        and p.qop == "auth" and (not p.algorithm or p.algorithm:upper() == "MD5")
        and p.nc and p.nc:find("^%x%x%x%x%x%x%x%x$") and p.nc ~= "00000000"
        and p.response:find("^%x+$") and p.userhash ~= "true"
end

-- used marks a count of a nonce. It returns whether it was new, and whether
-- there is memory for it.
local function used(p)
    local counts = ngx.shared.sallyport_digest
    if not counts then
        return nil, "no memory"
    end
    return counts:safe_add(p.nonce:sub(41) .. p.nc:lower(), true, LIFETIME + AHEAD)
end

local function users_of(list)
    local users = {}
    for _, line in ipairs(list) do
        local name, hash = line:match("^([^:]+):(%x+)$")
        if name then
            users[name] = hash
        end
    end
    return users
end

--- prepare: value.realm is shown to the client; value.users are "name:hash".
function M.prepare(value, route)
    local users = users_of(value.users)
    local realm = value.realm
    local scope = route.id .. ":" .. realm

    local function ask(stale)
        ngx.header["WWW-Authenticate"] = ('Digest realm="%s", qop="auth", algorithm=MD5, nonce="%s"%s'):format(
            realm, nonce(scope), stale and ", stale=true" or "")
        if route.value.any and route.value.auth then
            return false -- the other server says
        end
        return ngx.exit(401)
    end

    local function access()
        local p = parse(ngx.var.http_authorization)
        if not well_formed(p) or p.realm ~= realm or p.uri ~= ngx.var.request_uri then
            return ask()
        end
        local seconds = age(p.nonce, scope)
        local hash = users[p.username]
        -- One that is not known costs as much time as one that is.
        -- The request line's method: an error page's request has another.
        local ha2 = ngx.md5((ngx.var.request:match("^%S+") or "") .. ":" .. p.uri)
        local want = ngx.md5(table.concat({ hash or realm, p.nonce, p.nc, p.cnonce, p.qop, ha2 }, ":"))
        if not same(want, p.response:lower()) or not hash then
            return ask()
        end
        if not seconds or seconds > LIFETIME or seconds < -AHEAD then
            return ask(true)
        end
        local new, err = used(p)
        if err == "exists" and not ngx.req.is_internal() then
            return ask(true)
        end
        if not new and err ~= "exists" then
            ngx.log(ngx.ERR, "digest: ", err)
            return ngx.exit(503)
        end
        return true
    end
    return { access = access }
end

return M
