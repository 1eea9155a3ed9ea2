-- What a balance of the route's own has to know of a request when it is over.

local choice = require("sallyport.choice")

local M = {}

function M.prepare(value)
    return { log = value.ewma and choice.log or nil }
end

return M
