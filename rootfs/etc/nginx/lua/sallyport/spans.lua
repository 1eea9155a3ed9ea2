-- What requests came to → a queue, which the controller empties to tell a
-- collector. It is bounded: what finds it full is dropped, and counted.

local cjson = require("cjson.safe")

local M = {}

local ngx = ngx

local queue -- nil where nobody is told
local most = 0
local sampler

local SAMPLERS = {
    AlwaysOn = function()
        return true
    end,
    AlwaysOff = function()
        return false
    end,
}

-- By the trace's own random bits, so that all who sample so take the same.
local function by_ratio(ratio)
    return function(trace)
        return tonumber(trace:sub(17, 24), 16) / 0x100000000 < ratio
    end
end

--- init is told how traces are sampled, and how many spans are kept.
function M.init(options)
    M.parent_based = options.parent_based
    sampler = SAMPLERS[options.sampler] or by_ratio(options.ratio)
    most = options.queue or 0
    queue = options.queue and ngx.shared.sallyport_spans
end

--- sample says whether a trace that begins here is recorded.
function M.sample(trace)
    return sampler(trace)
end

--- told says whether spans are worth making.
function M.told()
    return queue ~= nil
end

--- add puts a span at the queue's end.
function M.add(span)
    if queue:llen("spans") >= most or not queue:rpush("spans", cjson.encode(span)) then
        queue:incr("dropped", 1, 0)
    end
end

--- take empties the queue of up to count spans if there are least, and says how
-- many have been dropped since it was asked last.
function M.take(least, count)
    local spans = {}
    if queue:llen("spans") >= least then
        for i = 1, count do
            spans[i] = queue:lpop("spans")
            if not spans[i] then
                break
            end
        end
    end
    local dropped = queue:get("dropped") or 0
    if dropped > 0 then
        queue:incr("dropped", -dropped)
    end
    return ('{"dropped":%d,"spans":[%s]}'):format(dropped, table.concat(spans, ","))
end

return M
