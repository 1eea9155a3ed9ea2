-- Rows of numbers of single workers → the rows of all, in shared memory, and
-- those as the controller reads them.
-- A row is an array of doubles: the number of requests, then for each
-- histogram its sum, its count and its buckets, and after them those of its
-- native histogram, where there are such.

local cjson = require("cjson.safe")
local ffi = require("ffi")
local items = require("sallyport.data")

local M = {
    -- The buckets of native histograms are between these powers of two: from a
    -- millisecond to 8 minutes, and from 16 bytes to a gigabyte.
    TIME_POWERS = { -10, 9 },
    SIZE_POWERS = { 4, 30 },
}

local dict = ngx.shared.sallyport_requests
local HISTOGRAMS = {
    { "request_duration", "time" }, { "connect_duration", "time" },
    { "header_duration", "time" }, { "response_duration", "time" },
    { "request_size", "length" }, { "response_size", "length" }, { "bytes_sent", "size" },
}
-- After a worker that died with the lock, others go on in as many seconds.
local LOCK_SECONDS = 2

-- What rows say that are of more routes than one; their id is "*".
local FOLDED = {
    host = "_folded", path = "_folded", namespace = "_folded", ingress = "_folded", service = "_folded",
}

local at, buckets, native, width, scratch
local schema -- of native histograms, or nil

--- key names a row. It is the only place for what the row's labels come from.
-- canary is "" where the route's own backend was asked.
function M.key(route, method, status, canary)
    return "row:" .. route .. " " .. method .. " " .. status .. " " .. canary
end

--- lock makes this worker the only one that changes shared rows; patience is
-- in milliseconds. It spins: a worker that ends cannot sleep.
function M.lock(patience)
    ngx.update_time()
    local deadline = ngx.now() + patience / 1000
    while not dict:safe_add("lock", true, LOCK_SECONDS) do
        if ngx.now() >= deadline then
            return false
        end
        ngx.update_time()
    end
    return true
end

function M.unlock()
    dict:delete("lock")
end

--- add adds a row to the shared one; false where there is no memory for it.
function M.add(key, row)
    local old = dict:get(key)
    local size = width * 8
    if old and #old == size then
        ffi.copy(scratch, old, size)
        for i = 0, width - 1 do
            scratch[i] = scratch[i] + row[i]
        end
        return dict:safe_set(key, ffi.string(scratch, size))
    end
    return dict:safe_set(key, ffi.string(row, size))
end

--- add_overflow counts requests that went to rows of FOLDED.
function M.add_overflow(n)
    if n > 0 then
        dict:incr("overflow", n)
    end
end

-- sparse returns the buckets of a native histogram that are not empty: their
-- indexes as Prometheus counts them, from 1 on, and what is in them.
local function sparse(row, offset, name)
    local low, count = native[name].low, native[name].count
    local indexes, counts = {}, {}
    for i = 1, count - 1 do
        if row[offset + i] > 0 then
            indexes[#indexes + 1] = low * 2 ^ schema + i
            counts[#counts + 1] = row[offset + i]
        end
    end
    return {
        schema = schema, threshold = 2 ^ low, zero = row[offset],
        indexes = #indexes > 0 and indexes or nil, counts = #counts > 0 and counts or nil,
    }
end

local function present(route, method, status, canary, row)
    local s = {
        host = route.host, path = route.path, namespace = route.namespace,
        ingress = route.ingress, service = route.service, canary = canary,
        method = method, status = status, requests = row[0],
    }
    for name, offset in pairs(at) do
        local list = {}
        for i = 1, buckets[name] do
            list[i] = row[offset + 1 + i]
        end
        s[name] = {
            sum = row[offset], count = row[offset + 1], buckets = list,
            native = schema and sparse(row, offset + 2 + buckets[name], name),
        }
    end
    return s
end

-- one returns a shared row with its labels, or nil where its route has gone.
local function one(key)
    local id, method, status, canary = key:match("^row:(%S+) (%S+) (%S+) (%S*)$")
    local text = id == "-" and "{}" or id and items.dict:get("r:" .. id)
    local route = id == "*" and FOLDED or text and cjson.decode(text)
    local numbers = dict:get(key)
    if type(route) ~= "table" or not numbers or #numbers ~= width * 8 then
        return nil
    end
    ffi.copy(scratch, numbers, #numbers)
    return present(route, method, status, canary, scratch)
end

--- all returns the rows of routes that exist, and forgets those of others.
function M.all()
    local list = {}
    for _, key in ipairs(dict:get_keys(0)) do
        if key:sub(1, 4) == "row:" then
            local s = one(key)
            if s then
                list[#list + 1] = s
            else
                dict:delete(key)
            end
        end
    end
    -- An empty table would be encoded as an object.
    return { series = #list > 0 and list or nil, overflow = dict:get("overflow") }
end

-- Numbers that were counted by other bounds mean nothing by these.
local function forget_other(bounds)
    local text = table.concat(bounds.time, " ") .. "/" .. table.concat(bounds.length, " ") ..
        "/" .. table.concat(bounds.size, " ") .. "/" .. tostring(schema)
    if dict:get("bounds") ~= text then
        dict:flush_all()
        dict:flush_expired()
        dict:set("bounds", text)
        dict:set("overflow", 0)
    end
end

--- init runs in the master. It returns where each histogram begins in a row,
-- and how many numbers a row has.
function M.init(bounds)
    at, buckets, native, width, schema = {}, {}, {}, 1, bounds.schema
    for _, h in ipairs(HISTOGRAMS) do
        local name, count = h[1], #bounds[h[2]] + 1
        at[name], buckets[name] = width, count
        width = width + 2 + count
        if schema then
            local powers = h[2] == "time" and M.TIME_POWERS or M.SIZE_POWERS
            native[name] = { low = powers[1], count = (powers[2] - powers[1]) * 2 ^ schema + 1 }
            width = width + native[name].count
        end
    end
    scratch = ffi.new("double[?]", width)
    forget_other(bounds)
    return at, width
end

return M
