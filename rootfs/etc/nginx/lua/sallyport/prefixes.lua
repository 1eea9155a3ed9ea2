-- A list of address prefixes → whether an address is in one of them.
-- One look-up for each length that the list has, of which there are few; none
-- of it depends on how long the list is.

local bit = require("bit")

local M = {}

local band, lshift = bit.band, bit.lshift
local byte, char, sub = string.byte, string.char, string.sub

-- head returns the first bits of an address, the rest of its last byte zero.
local function head(address, bytes, mask)
    if mask == 0 then
        return sub(address, 1, bytes)
    end
    return sub(address, 1, bytes) .. char(band(byte(address, bytes + 1), mask))
end

local function unhex(text)
    return (text:gsub("%x%x", function(pair) return char(tonumber(pair, 16)) end))
end

--- compile takes "HEX/BITS" texts. It returns a set for contains.
function M.compile(list)
    local set = { [4] = {}, [16] = {} } -- by length of the address in bytes
    local by_bits = { [4] = {}, [16] = {} }
    for _, text in ipairs(list) do
        local hex, bits = text:match("^(%x+)/(%d+)$")
        local address = unhex(hex)
        bits = tonumber(bits)
        local length = #address
        local group = by_bits[length][bits]
        if not group then
            local rest = bits % 8
            group = {
                bytes = (bits - rest) / 8,
                mask = band(lshift(0xff, 8 - rest), 0xff),
                known = {},
            }
            if rest == 0 then
                group.mask = 0
            end
            by_bits[length][bits] = group
            set[length][#set[length] + 1] = group
        end
        group.known[head(address, group.bytes, group.mask)] = true
    end
    return set
end

--- contains says whether a binary address is in the set. That of a client on
-- a unix socket is in none.
function M.contains(set, address)
    local groups = set[#address]
    if not groups then
        return false
    end
    for i = 1, #groups do
        local group = groups[i]
        if group.known[head(address, group.bytes, group.mask)] then
            return true
        end
    end
    return false
end

return M
