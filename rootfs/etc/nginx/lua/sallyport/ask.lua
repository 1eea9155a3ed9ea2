-- A request without a body to another server → the status and header of its
-- answer. nginx's own subrequests can't do it: for requests of HTTP/2 the Lua
-- module refuses them, and auth_request's headers can't be data.

local M = {}

local ngx = ngx
local find, lower, match, sub = string.find, string.lower, string.match, string.sub

-- The most bytes of a header, and of a body that is read so that its connection
-- can be used again.
local MOST_HEAD = 65536
local MOST_BODY = 65536
local MOST_TRIES = 3
-- The most answers that are not final, such as 103, before one that is.
local MOST_EARLY = 8

-- receive_head returns the header's text and the beginning of the body. The
-- third result says of an error that nothing came.
local function receive_head(sock, text)
    while #text <= MOST_HEAD do
        local stop, last = find(text, "\n\r?\n")
        if stop then
            return sub(text, 1, stop), sub(text, last + 1)
        end
        local chunk, err = sock:receiveany(8192)
        if not chunk then
            return nil, err, text == ""
        end
        text = text .. chunk
    end
    return nil, "its header is too long"
end

-- parse returns { status, header = { name = {values} } }. A line that is none
-- of a header is left out.
local function parse(text)
    local minor, status = match(text, "^HTTP/1%.([01]) ([1-5]%d%d)[ \r\n]")
    if not status then
        return nil, "it does not speak HTTP/1"
    end
    local header = {}
    for line in text:gmatch("[^\n]+") do
        local name, value = match(line, "^([%w_-]+):[ \t]*(.*)$")
        value = value and (match(value, "^(.*[^ \t\r])") or "")
        if name and not find(value, "%c") then
            name = lower(name)
            local list = header[name]
            if not list then
                list = {}
                header[name] = list
            end
            list[#list + 1] = value
        end
    end
    return { status = tonumber(status), header = header, old = minor == "0" }
end

-- receive returns the first answer that is final, and the beginning of its
-- body.
local function receive(sock)
    local rest = ""
    for try = 1, MOST_EARLY do
        local text, after, nothing = receive_head(sock, rest)
        if not text then
            return nil, after, nothing and try == 1
        end
        local answer, err = parse(text)
        if not answer then
            return nil, err
        end
        if answer.status >= 200 then
            return answer, after
        elseif answer.status == 101 then
            return nil, "it answered 101"
        end
        rest = after
    end
    return nil, "it does not come to an answer"
end

-- finished reads the rest of a body, and says whether the connection can be
-- used again.
local function finished(sock, answer, rest, method)
    local header = answer.header
    local connection = header.connection and lower(table.concat(header.connection, ",")) or ""
    if answer.old or header["transfer-encoding"] or find(connection, "close", 1, true) then
        return false
    end
    if method == "HEAD" or answer.status == 204 or answer.status == 304 then
        return rest == ""
    end
    local length = header["content-length"]
    length = length and #length == 1 and match(length[1], "^%d+$") and tonumber(length[1])
    if not length or length > MOST_BODY or length < #rest then
        return false
    end
    return length == #rest or sock:receive(length - #rest) ~= nil
end

-- once returns an answer; or nil, the reason, and whether another try may help.
local function once(target, text, fresh)
    local address, port = target.peer()
    if not address then
        return nil, "it has no address"
    end
    local sock = ngx.socket.tcp()
    sock:settimeouts(target.connect, target.send, target.read)
    local options = { pool = target.pool .. (fresh and ":new" or "") }
    local ok, err
    if port then
        ok, err = sock:connect(address, port, options)
    else
        ok, err = sock:connect(address, options)
    end
    if not ok then
        return nil, err, true
    end
    local reused = sock:getreusedtimes()
    if target.before and reused == 0 then
        ok, err = sock:send(target.before())
        if not ok then
            sock:close()
            return nil, err, true
        end
    end
    if target.tls and reused == 0 then
        ok, err = sock:sslhandshake(false, target.name(), false)
        if not ok then
            sock:close()
            return nil, err, true
        end
    end
    local sent
    sent, err = sock:send(text)
    if not sent then
        sock:close()
        return nil, err, reused > 0
    end
    local answer, rest, nothing = receive(sock)
    if not answer then
        sock:close()
        return nil, rest, nothing and reused > 0
    end
    if target.idle > 0 and not fresh and reused + 1 < target.idle_requests
        and finished(sock, answer, rest, target.method) then
        sock:setkeepalive(target.idle_time, target.idle)
    else
        sock:close()
    end
    return answer
end

--- ask sends a text to a target: { peer = f() → address, and port but of a unix
-- socket; before = f() → what a connection begins with, or nil; name = f() → that
-- of TLS; tls, method, pool, idle, idle_requests, idle_time, connect, send,
-- read }, where times are milliseconds. It returns an answer, or nil and why.
function M.ask(target, text)
    local answer, err, again
    for try = 1, MOST_TRIES do
        answer, err, again = once(target, text, try > 1)
        if answer or not again then
            break
        end
    end
    return answer, err
end

return M
