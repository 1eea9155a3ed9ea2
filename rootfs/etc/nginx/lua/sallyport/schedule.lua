-- Endpoints with weights → the order in which they take turns.
-- Expanding the order once makes each choice one increment.

local M = {}

-- Weights are shares: beyond this many turns, they are scaled down. The share
-- of an endpoint is then off by at most one turn in so many.
local MAX_TURNS = 2048

local function gcd(a, b)
    while b > 0 do
        a, b = b, a % b
    end
    return a
end

local function read(endpoints)
    local peers = {}
    if type(endpoints) ~= "table" then
        return peers
    end
    for _, e in ipairs(endpoints) do
        if type(e) == "table" and type(e[1]) == "string" and type(e[2]) == "number" then
            local weight = type(e[3]) == "number" and e[3] >= 1 and math.floor(e[3]) or 1
            peers[#peers + 1] = { address = e[1], port = e[2], weight = weight }
        else
            ngx.log(ngx.ERR, "an endpoint is malformed and left out")
        end
    end
    return peers
end

-- reduce makes the weights as small as they can be and returns their sum.
local function reduce(peers)
    local sum, divisor = 0, 0
    for _, peer in ipairs(peers) do
        sum = sum + peer.weight
        divisor = gcd(divisor, peer.weight)
    end
    local scale = math.max(divisor, sum / MAX_TURNS)
    sum = 0
    for _, peer in ipairs(peers) do
        peer.weight = math.max(1, math.floor(peer.weight / scale + 0.5))
        sum = sum + peer.weight
    end
    return sum
end

-- smooth spreads the turns of each endpoint evenly: in each turn all gain
-- their weight, the one with the most takes the turn and pays the sum.
local function smooth(peers, sum)
    local order, credit = {}, {}
    for i = 1, #peers do
        credit[i] = 0
    end
    for turn = 1, sum do
        local best = 1
        for i = 1, #peers do
            credit[i] = credit[i] + peers[i].weight
            if credit[i] > credit[best] then
                best = i
            end
        end
        credit[best] = credit[best] - sum
        order[turn] = peers[best]
    end
    return order
end

--- order returns the endpoints by turn, and how many different ones there are.
function M.order(endpoints)
    local peers = read(endpoints)
    if #peers == 0 then
        return peers, 0
    end
    local sum = reduce(peers)
    if sum == #peers or #peers >= MAX_TURNS then
        return peers, #peers
    end
    return smooth(peers, sum), #peers
end

return M
