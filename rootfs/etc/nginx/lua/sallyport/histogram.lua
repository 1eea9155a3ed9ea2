-- Bounds → a function that says which bucket a value falls into.
-- The function is generated, a straight line of comparisons: with a loop in
-- it, LuaJIT would not compile the function that calls it. The buckets of native
-- histograms are too many for that; their bounds are powers, so they are computed.

local M = {}

local ceil = math.ceil
local log = math.log

--- compile returns a function: value → index of the first bound that is not
-- below it, from 0; the number of bounds where all are.
function M.compile(bounds)
    local lines = { "return function(v)" }
    for i, bound in ipairs(bounds) do
        lines[#lines + 1] = ("if v <= %.17g then return %d end"):format(bound, i - 1)
    end
    lines[#lines + 1] = ("return %d end"):format(#bounds)
    return assert(loadstring(table.concat(lines, "\n"), "=histogram"))()
end

--- exponential returns a function: value → bucket from 0 on, and how many there
-- are. Bucket 0 ends at 2^low, and 2^schema of them are between a power of two
-- and the next; the last one, which ends at 2^high, has what is more, too.
function M.exponential(schema, low, high)
    local each = 2 ^ schema
    local least, most = 2 ^ low, (high - low) * each
    local scale, first = each / log(2), low * each + 1e-9 -- a bound is in the bucket that it ends
    return function(v)
        if v <= least then
            return 0
        end
        local i = ceil(log(v) * scale - first)
        if i > most then
            return most
        end
        return i
    end, most + 1
end

return M
