-- Log lines other than the access log, in the same JSON form, on standard output.
local cjson = require("cjson.safe")
local ffi = require("ffi")

ffi.cdef("long write(int descriptor, const char *text, size_t length);")

local find, gsub, sub = string.find, string.gsub, string.sub
local STANDARD_OUTPUT = 1
local LONGEST_LINE = require("kamal.contract").longest_log_line
local SHORTER = { 2048, 1024, 512, 256, 128, 64, 16 }

-- A character of several bytes in UTF-8, captured, or a byte that belongs to none.
local BEYOND_ASCII = [=[([\xC2-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|[\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}]=]
  .. [=[|\xED[\x80-\x9F][\x80-\xBF]|\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}]=]
  .. [=[|\xF4[\x80-\x8F][\x80-\xBF]{2})|[\x80-\xFF]]=]
local REPLACEMENT, ELLIPSIS = "\239\191\189", "\226\128\166"

local M = {}

local function known_or_replaced(match)
  return match[1] or REPLACEMENT
end

-- A value as nginx's own lines have it: without a backslash before slashes, which stands there and nowhere else.
-- JSON is UTF-8: bytes that are none are replaced.
function M.encoded(value)
  if type(value) == "string" and find(value, "[\128-\255]") then
    value = ngx.re.gsub(value, BEYOND_ASCII, known_or_replaced, "jo")
  end
  return (gsub(cjson.encode(value), "\\/", "/"))
end

-- The same for a value of which no more than `longest` bytes are wanted.
function M.shortened(value, longest)
  if type(value) == "string" and #value > longest then
    value = sub(value, 1, longest) .. ELLIPSIS
  end
  return M.encoded(value)
end

-- Writes the line that `make` gives for the longest value that it may have; ever shorter ones, until it fits.
function M.write_line(make)
  local line = make(LONGEST_LINE)
  for _, longest in ipairs(SHORTER) do
    if #line < LONGEST_LINE then
      break
    end
    line = make(longest)
  end
  ffi.C.write(STANDARD_OUTPUT, line .. "\n", #line + 1)
end

function M.write(level, message, attributes)
  local now = ngx.now()
  local beginning = string.format('{"time":"%s.%03d000000Z","level":"%s","msg":%s',
    os.date("!%Y-%m-%dT%H:%M:%S", now), math.floor(now * 1000) % 1000, level, M.encoded(message))
  M.write_line(function(longest)
    local line = beginning
    for key, value in pairs(attributes) do
      line = line .. "," .. M.encoded(key) .. ":" .. M.shortened(value, longest)
    end
    return line .. "}"
  end)
end

return M
