-- Reads a request body of unknown length, compares it with the service's limit, and goes on.
local requests = require("kamal.requests")
local access = require("kamal.access")

local function body_size()
  local data = ngx.req.get_body_data()
  if data then
    return #data
  end
  local name = ngx.req.get_body_file()
  if not name then
    return 0
  end
  local file = assert(io.open(name, "rb"))
  local size = file:seek("end")
  file:close()
  return size
end

return function()
  local record = requests.current()
  ngx.req.read_body()
  if body_size() > record.service.body_limit then
    return ngx.exit(413)
  end
  record.body_measured = true
  return access.route(record)
end
