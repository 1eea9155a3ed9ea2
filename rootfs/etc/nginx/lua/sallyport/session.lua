-- The cookie by which a client keeps its endpoint → that endpoint, and the
-- Set-Cookie that says so.
--
-- A cookie is "KEY|TAG": TAG tells the backend, so that a canary's is no other's.
-- In balanced mode KEY is a random text whose endpoint is found by its hash; in
-- persistent mode it is a digest of the endpoint itself.

local M = {}

local ngx = ngx
local var = ngx.var
local find, match = string.find, string.match

local function tag(backend)
    return ngx.md5(backend):sub(1, 16)
end

-- in_turn says whether an agent has some texts, one after the other. Each is
-- looked for once: a pattern with several ".*" would take the length of what a
-- client sends to the fourth power.
local function in_turn(agent, texts)
    local from = 1
    for i = 1, #texts do
        local _, last = find(agent, texts[i], from, true)
        if not last then
            return false
        end
        from = last + 1
    end
    return true
end

local IOS_12 = { "iP", "; CPU ", "OS 12", "AppleWebKit/" }
local MACOS_10_14 = { "Macintosh;", "Mac OS X 10_14", "AppleWebKit/" }
local SAFARI = { "Version/", " Safari/" }

-- Browsers that take SameSite=None for Strict, or drop the cookie.
local function misreads_none(agent)
    if not agent then
        return false
    end
    if in_turn(agent, IOS_12) then
        return true
    end
    if in_turn(agent, MACOS_10_14) then
        local safari = in_turn(agent, SAFARI) and not find(agent, "Chrom[ei]")
        if safari or find(agent, "AppleWebKit/[%.%d]+ %(KHTML, like Gecko%)$") then
            return true
        end
    end
    local chrome = tonumber(match(agent, "Chrom[eium]*/(%d+)"))
    if chrome and chrome >= 51 and chrome <= 66 then
        return true
    end
    local major, minor, build = match(agent, "UCBrowser/(%d+)%.(%d+)%.(%d+)")
    if major then
        local version = tonumber(major) * 1000000 + tonumber(minor) * 1000 + tonumber(build)
        return version < 12013002
    end
    return false
end

--- read returns the key that the client has for one of two backends, and which
-- of them that is.
function M.read(value, main, other)
    local text = var["cookie_" .. value.name]
    if not text then
        return nil
    end
    local key, which = match(text, "^([%w%-]+)|(%x+)$")
    if not key or #key > 64 then
        return nil
    end
    if which == tag(main) then
        return key, main
    elseif other and which == tag(other) then
        return key, other
    end
end

--- fresh returns a key that nobody has.
function M.fresh()
    return ngx.md5(var.request_id .. var.pid .. math.random())
end

--- write tells the client its key.
function M.write(value, key, backend)
    local parts = { value.name .. "=" .. key .. "|" .. tag(backend), "Path=" .. value.path }
    if value.domain then
        parts[#parts + 1] = "Domain=" .. value.domain
    end
    if value.expires then
        parts[#parts + 1] = "Expires=" .. ngx.cookie_time(ngx.time() + value.expires)
    end
    if value.maxAge then
        parts[#parts + 1] = "Max-Age=" .. value.maxAge
    end
    if value.secure or var.scheme == "https" then
        parts[#parts + 1] = "Secure"
    end
    parts[#parts + 1] = "HttpOnly"
    local conditional = value.sameSite == "None" and value.conditionalNone
    if value.sameSite and not (conditional and misreads_none(var.http_user_agent)) then
        parts[#parts + 1] = "SameSite=" .. value.sameSite
    end
    ngx.header["Set-Cookie"] = table.concat(parts, "; ")
end

return M
