-- Log lines other than the access log, in the same JSON form, on standard output.
local cjson = require("cjson.safe")

local gsub = string.gsub

local M = {}

-- A value as nginx's own lines have it: without a backslash before slashes, which stands there and nowhere else.
function M.encoded(value)
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
