-- Response headers of an operator's choice: names and values in turn.

local M = {}

function M.prepare(list)
    return {
        header = function()
            for i = 1, #list, 2 do
                ngx.header[list[i]] = list[i + 1]
            end
        end,
    }
end

return M
