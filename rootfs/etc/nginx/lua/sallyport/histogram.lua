-- Bounds → a function that says which bucket a value falls into.
-- The function is generated, a straight line of comparisons: with a loop in
-- it, LuaJIT would not compile the function that calls it.

local M = {}

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

return M
