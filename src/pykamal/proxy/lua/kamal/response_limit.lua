-- Cuts a response off once more of its body has come than its service allows.
local requests = require("kamal.requests")

return function()
  local record = requests.current()
  local limit = record and record.response_limit
  if not limit then
    return
  end
  record.response_bytes = (record.response_bytes or 0) + #ngx.arg[1]
  if record.response_bytes > limit then
    return ngx.ERROR
  end
end
