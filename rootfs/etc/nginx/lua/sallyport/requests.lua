-- Finished requests → counters by route, method and status.
-- log() is on the path of every request: it only adds to numbers of its own
-- worker, and LuaJIT must be able to compile it as one trace. A timer adds
-- them to the numbers of all workers, in shared memory.

local ffi = require("ffi")
local histogram = require("sallyport.histogram")
local series = require("sallyport.series")

local M = {}

local ngx = ngx
local var = ngx.var
local now = ngx.now
local get_method = ngx.req.get_method
local start_time = ngx.req.start_time
local tonumber = tonumber

local FLUSH_SECONDS = 1
local FOLDED = "*"     -- no route id; a row for each method and status, which are few

local METHODS = {
    GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
    OPTIONS = true, CONNECT = true, TRACE = true, PROPFIND = true, PROPPATCH = true,
    MKCOL = true, COPY = true, MOVE = true, LOCK = true, UNLOCK = true,
}

local new_row = ffi.typeof("double[?]")
local by_route = {} -- route id → method → status → row of numbers
-- Of the routes that have given a request to their canary. They are in this table
-- only, so that the others are not asked.
local by_canary = {} -- route id → name of the canary, or "" → method → status → row
local rows = {}     -- the same rows, with their keys, in order of appearance
local overflow = 0
local max_rows      -- per worker, about 0.8 kB each; requests beyond share the rows of FOLDED

local width -- numbers in a row
local time_bucket, length_bucket, size_bucket
local time_native, size_native                  -- the same of native histograms, or nil
local after_time, after_length, after_size      -- where those begin in a histogram
local request_duration, connect_duration, header_duration, response_duration
local request_size, response_size, bytes_sent

local function child(parent, key)
    local value = parent[key]
    if not value then
        value = {}
        parent[key] = value
    end
    return value
end

local function row_of(route, method, status)
    method = METHODS[method] and method or "OTHER"
    local canaries = by_canary[route]
    -- It outlives internal redirects, as ngx.ctx does not.
    local canary = canaries and var.proxy_alternative_upstream_name or ""
    local by_status = child(canaries and child(canaries, canary) or child(by_route, route), method)
    local row = by_status[status]
    if row then
        return row
    end
    if #rows >= max_rows and route ~= FOLDED then
        overflow = overflow + 1
        return row_of(FOLDED, method, status)
    end
    row = new_row(width)
    by_status[status] = row
    rows[#rows + 1] = { key = series.key(route, method, status, canary), row = row }
    return row
end

-- last returns the number at the end of a list such as "0.001, 0.004", which
-- is that of the endpoint that answered.
local function last(text)
    return tonumber(text:match("[%d.]+$"))
end

local function add(row, at, bucket, value, native, after)
    row[at] = row[at] + value
    row[at + 1] = row[at + 1] + 1
    row[at + 2 + bucket] = row[at + 2 + bucket] + 1
    if native then
        local i = at + after + native(value)
        row[i] = row[i] + 1
    end
end

local function add_upstream(row, at, text)
    if text then
        local seconds = tonumber(text) or last(text)
        if seconds then
            add(row, at, time_bucket(seconds), seconds, time_native, after_time)
        end
    end
end

local function split(id)
    if not by_canary[id] then
        by_canary[id] = { [""] = by_route[id] }
        by_route[id] = nil
    end
end

--- split says that a route has given a request to its canary.
function M.split(route)
    split(route.id)
    local errors = route.value.errors
    if errors and errors.route then
        split(errors.route) -- where such a request ends that fails
    end
end

--- log counts the request that has just ended.
function M.log()
    local route = var.route
    if not route or route == "" then
        route = "-" -- of a host or path that no Ingress has
    end
    local method, status = get_method(), ngx.status
    local methods = by_route[route]
    local statuses = methods and methods[method]
    local row = statuses and statuses[status]
    if not row then
        row = row_of(route, method, status)
    end

    row[0] = row[0] + 1
    local seconds = now() - start_time()
    add(row, request_duration, time_bucket(seconds), seconds, time_native, after_time)
    add_upstream(row, connect_duration, var.upstream_connect_time)
    add_upstream(row, header_duration, var.upstream_header_time)
    add_upstream(row, response_duration, var.upstream_response_time)
    local length = tonumber(var.request_length)
    add(row, request_size, length_bucket(length), length, size_native, after_length)
    local sent = tonumber(var.bytes_sent)
    add(row, response_size, length_bucket(sent), sent, size_native, after_length)
    add(row, bytes_sent, size_bucket(sent), sent, size_native, after_size)
end

-- flush moves this worker's numbers to those of all, unless another worker is
-- at it and patience, in milliseconds, runs out.
local function flush(patience)
    if not series.lock(patience) then
        return false
    end
    for _, entry in ipairs(rows) do
        if entry.row[0] > 0 then
            if series.add(entry.key, entry.row) then
                ffi.fill(entry.row, width * 8)
            end
        end
    end
    series.add_overflow(overflow)
    overflow = 0
    series.unlock()
    return true
end

local function tick()
    flush(0) -- or in a second
end

--- start runs in a worker.
function M.start()
    local ok, err = ngx.timer.every(FLUSH_SECONDS, tick)
    if not ok then
        ngx.log(ngx.ERR, "requests are not counted: ", err)
    end
end

--- flush_at_exit runs in a worker that ends.
function M.flush_at_exit()
    if not flush(100) then
        ngx.log(ngx.ERR, "the last second of request counters is lost: another worker holds the lock")
    end
end

--- rows returns what GET /requests answers: those of this worker to the last
-- request, those of the others up to their last tick.
function M.rows()
    flush(20)
    return series.all()
end

--- init runs in the master. bounds: {time, length, size}, in seconds and bytes,
-- rows, how many a worker may have, and schema, that of native histograms, or nil.
function M.init(bounds)
    max_rows = bounds.rows
    time_bucket = histogram.compile(bounds.time)
    length_bucket = histogram.compile(bounds.length)
    size_bucket = histogram.compile(bounds.size)
    if bounds.schema then
        time_native = histogram.exponential(bounds.schema, unpack(series.TIME_POWERS))
        size_native = histogram.exponential(bounds.schema, unpack(series.SIZE_POWERS))
        after_time, after_length, after_size = #bounds.time + 3, #bounds.length + 3, #bounds.size + 3
    end
    local at
    at, width = series.init(bounds)
    request_duration = at.request_duration
    connect_duration = at.connect_duration
    header_duration = at.header_duration
    response_duration = at.response_duration
    request_size = at.request_size
    response_size = at.response_size
    bytes_sent = at.bytes_sent
end

return M
