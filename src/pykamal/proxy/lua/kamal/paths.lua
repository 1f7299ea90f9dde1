-- Percent-decoding and prefix removal on the path as it was received.
local find, gsub, sub, char, byte = string.find, string.gsub, string.sub, string.char, string.byte
local tonumber = tonumber

local M = {}

local function from_hex(hex)
  return char(tonumber(hex, 16))
end

-- The decoded path of a raw request target, query removed.
function M.decoded(raw)
  local query = find(raw, "?", 1, true)
  if query then
    raw = sub(raw, 1, query - 1)
  end
  if find(raw, "%", 1, true) then
    raw = gsub(raw, "%%(%x%x)", from_hex)
  end
  return raw
end

-- Removes `length` decoded bytes from the front of the raw target and keeps the rest as it was sent, but for the slash
-- at its beginning, which need not be written as one.
function M.stripped(raw, length)
  local position = 1
  for _ = 1, length do
    position = position + (byte(raw, position) == 37 and 3 or 1)
  end
  local rest = sub(raw, position)
  if byte(rest, 1) == 47 then
    return rest
  end
  return "/" .. gsub(rest, "^%%2[Ff]", "")
end

return M
