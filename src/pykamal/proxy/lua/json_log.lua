-- Log lines other than the access log, in the same JSON form, on standard output.
local cjson = require("cjson.safe")

local find, gsub = string.find, string.gsub

-- A character of several bytes in UTF-8, captured, or a byte that belongs to none.
local BEYOND_ASCII = [=[([\xC2-\xDF][\x80-\xBF]|\xE0[\xA0-\xBF][\x80-\xBF]|[\xE1-\xEC\xEE\xEF][\x80-\xBF]{2}]=]
  .. [=[|\xED[\x80-\x9F][\x80-\xBF]|\xF0[\x90-\xBF][\x80-\xBF]{2}|[\xF1-\xF3][\x80-\xBF]{3}]=]
  .. [=[|\xF4[\x80-\x8F][\x80-\xBF]{2})|[\x80-\xFF]]=]
local REPLACEMENT = "\239\191\189"

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

function M.write(level, message, attributes)
  local now = ngx.now()
  local line = string.format('{"time":"%s.%03d000000Z","level":"%s","msg":%s',
    os.date("!%Y-%m-%dT%H:%M:%S", now), math.floor(now * 1000) % 1000, level, M.encoded(message))
  for key, value in pairs(attributes) do
    line = line .. "," .. M.encoded(key) .. ":" .. M.encoded(value)
  end
  io.stdout:write(line .. "}\n")
  io.stdout:flush()
end

return M
