-- Sets of IP networks, asked with binary addresses of 4 or 16 bytes.
local ffi = require("ffi")

ffi.cdef("int inet_pton(int family, const char *text, void *address);")

local AF_INET, AF_INET6 = 2, 10
local IPV4_INSIDE_IPV6 = string.rep("\0", 10) .. "\255\255"

local C = ffi.C
local byte, char, match, sub = string.byte, string.char, string.match, string.sub
local floor, tonumber = math.floor, tonumber
local raw = ffi.new("unsigned char[16]")

local M = {}

-- IPv4 that is written as IPv6 is IPv4.
function M.normal(address)
  if #address == 16 and sub(address, 1, 12) == IPV4_INSIDE_IPV6 then
    return sub(address, 13)
  end
  return address
end

-- The address of a text, nil when it is none.
function M.binary(text)
  if C.inet_pton(AF_INET, text, raw) == 1 then
    return ffi.string(raw, 4)
  end
  if C.inet_pton(AF_INET6, text, raw) == 1 then
    return M.normal(ffi.string(raw, 16))
  end
  return nil
end

local function masked(address, bits)
  local whole, rest = floor(bits / 8), bits % 8
  if rest == 0 then
    return sub(address, 1, whole)
  end
  local last = byte(address, whole + 1)
  return sub(address, 1, whole) .. char(last - last % 2 ^ (8 - rest))
end

-- A set from texts such as `10.0.0.0/8` and `::1`, nil when there are none.
function M.set(texts)
  if #texts == 0 then
    return nil
  end
  local set = { [4] = {}, [16] = {} }
  for _, text in ipairs(texts) do
    local address, bits = match(text, "^([^/]+)/?(%d*)$")
    address = M.binary(address)
    bits = tonumber(bits) or #address * 8
    local groups = set[#address]
    groups[bits] = groups[bits] or {}
    groups[bits][masked(address, bits)] = true
  end
  return set
end

function M.contains(set, address)
  for bits, members in pairs(set[#address]) do
    if members[masked(address, bits)] then
      return true
    end
  end
  return false
end

return M
