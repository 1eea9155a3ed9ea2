-- The cookie by which a client keeps its endpoint → that endpoint, and the
-- Set-Cookie that says so.
--
-- A cookie is "KEY|TAG": TAG tells the backend, so that a canary's is no other's.
-- In balanced mode KEY is a random text whose endpoint is found by its hash; in
-- persistent mode it is a digest of the endpoint itself.

local M = {}

local ngx = ngx
local var = ngx.var
local find, match, sub = string.find, string.match, string.sub

local tags = {} -- by backend id

local function tag(backend)
    local text = tags[backend]
    if not text then
        text = ngx.md5(backend):sub(1, 16)
        tags[backend] = text
    end
    return text
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

--- prepare makes a route's data ready for the others.
function M.prepare(value)
    value.variable = "cookie_" .. value.name
    return value
end

--- read returns the key that the client has for one of two backends, and which
-- of them that is.
function M.read(value, main, other)
    local text = var[value.variable]
    local bar = text and find(text, "|", 1, true)
    if not bar or bar > 65 then
        return nil
    end
    local key, which = sub(text, 1, bar - 1), sub(text, bar + 1)
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
