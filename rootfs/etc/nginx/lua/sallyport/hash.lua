-- A key and endpoints → the endpoint that is the key's, by rendezvous: each
-- endpoint gets a number of the key and of its own, and the highest one has the
-- key. So a key moves only where its endpoint goes, or where a new one has it.

local bit = require("bit")

local M = {}

local bxor, rshift, band, tobit = bit.bxor, bit.rshift, bit.band, bit.tobit
local crc32 = ngx.crc32_long

-- mul multiplies modulo 2^32: doubles hold 53 bits, so in halves.
local function mul(a, b)
    local low, high = band(a, 0xffff), rshift(a, 16)
    return tobit(low * b % 4294967296 + (high * b % 65536) * 65536)
end

-- mix is the finalizer of MurmurHash3, in which each bit depends on all.
local function mix(h)
    h = bxor(h, rshift(h, 16))
    h = mul(h, 0x85ebca6b)
    h = bxor(h, rshift(h, 13))
    h = mul(h, 0xc2b2ae35)
    return bxor(h, rshift(h, 16))
end

--- seed is an endpoint's own number.
function M.seed(address, port)
    return mix(tobit(crc32(address .. ":" .. port)))
end

--- choose returns the index of a key's endpoint among those with seeds.
function M.choose(key, seeds, count)
    local h = mix(tobit(crc32(key)))
    local best, most = 1, -1
    for i = 1, count do
        local score = mix(bxor(h, seeds[i])) % 4294967296
        if score > most then
            best, most = i, score
        end
    end
    return best
end

return M
