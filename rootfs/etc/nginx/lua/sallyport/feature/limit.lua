-- Requests and connections of one client to one Ingress, counted over all
-- workers. Where the memory is full, the shared dictionary drops what was not
-- touched for the longest time: a limit may be let pass then, nobody is
-- refused for it.
--
-- A bucket is one number, the time at which it will have leaked empty. A
-- request moves that on by its share; one that would fill the bucket further
-- than its burst is refused and takes its share back. Since the number is
-- moved by incr, workers can't lose each other's requests; only a bucket that
-- was empty may be begun by two at once.

local prefixes = require("sallyport.prefixes")

local M = {}

local ngx = ngx
local var = ngx.var
local dict = ngx.shared.sallyport_limits
local now = ngx.now
local exit = ngx.exit
local md5 = ngx.md5_bin
local contains = prefixes.contains

-- A count that a worker that died left behind ends with its client's silence.
local CONNECTION_SECONDS = 3600

-- $limit_counted is "" before this step, then the key of the connection's
-- count, or NONE. It outlives internal redirects, as ngx.ctx does not.
local NONE = "-"

-- take moves a bucket on by one request. It says false where that is too many.
local function take(key, interval, capacity)
    local at = now()
    local full = dict:incr(key, interval, at)
    if not full then
        return true -- not even a place for a number
    end
    if full - interval < at then
        dict:set(key, at + interval) -- it was empty
        return true
    end
    -- A microsecond for what doubles lose.
    if full - at > capacity + 1e-6 then
        dict:incr(key, -interval)
        return false
    end
    return true
end

-- connect counts a connection. It says false where that is too many.
local function connect(key, most)
    local count = dict:incr(key, 1, 0)
    if not count then
        return true
    end
    if count > most then
        dict:incr(key, -1)
        return false
    end
    dict:expire(key, CONNECTION_SECONDS)
    var.limit_counted = key
    return true
end

--- release takes back the connection that the request was counted as. It runs
-- once for each request, in the log phase, wherever that ended.
function M.release()
    local key = var.limit_counted
    if not key or key == "" or key == NONE then
        return
    end
    var.limit_counted = NONE
    local count = dict:incr(key, -1)
    if count and count <= 0 then
        dict:delete(key)
    end
end

local function bucket(id, name, requests, seconds, burst)
    if not requests or requests == 0 then
        return nil
    end
    local interval = seconds / requests
    return { key = id .. name, interval = interval, capacity = (requests * burst + 1) * interval }
end

function M.prepare(value, route)
    if not dict then
        return {} -- data for the nginx.conf that is about to be loaded
    end
    -- One count for an Ingress, whatever its name holds.
    local id = ngx.md5_bin(route.value.namespace .. "/" .. route.value.ingress):sub(1, 9)
    local second = bucket(id, "s", value.rps, 1, value.burst)
    local minute = bucket(id, "m", value.rpm, 60, value.burst)
    local connections = value.connections or 0
    local connection_key = id .. "c"
    local request_status, connection_status = value.requestStatus, value.connectionStatus
    local by = value.by
    local allowed = prefixes.compile(value.allow or {})

    local function rewrite()
        if var.limit_counted ~= "" then
            return
        end
        local client = var.binary_remote_addr
        var.limit_counted = NONE
        if contains(allowed, client) then
            return
        end
        if by then
            local text = var[by]
            if not text or text == "" then
                return
            end
            client = md5(text) -- of any length
        end
        if connections > 0 and not connect(connection_key .. client, connections) then
            return exit(connection_status)
        end
        if second and not take(second.key .. client, second.interval, second.capacity) then
            return exit(request_status)
        end
        if minute and not take(minute.key .. client, minute.interval, minute.capacity) then
            if second then
                dict:incr(second.key .. client, -second.interval)
            end
            return exit(request_status)
        end
    end

    return { rewrite = rewrite }
end

return M
