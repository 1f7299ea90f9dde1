-- Log lines other than the access log, in the same JSON form, on standard output.
local cjson = require("cjson.safe")

local M = {}

function M.write(level, message, attributes)
  local now = ngx.now()
  local line = string.format('{"time":"%s.%03d000000Z","level":"%s","msg":%s',
    os.date("!%Y-%m-%dT%H:%M:%S", now), math.floor(now * 1000) % 1000, level, cjson.encode(message))
  for key, value in pairs(attributes) do
    line = line .. "," .. cjson.encode(key) .. ":" .. cjson.encode(value)
  end
  io.stdout:write(line .. "}\n")
  io.stdout:flush()
end

return M
