-- Cuts a response off once more of its body has come than its service allows.
local requests = require("requests")

return function()
  local record = requests.current()
  local limit = record and record.response_limit
  if not limit then
    return
  end
  record.sent = (record.sent or 0) + #ngx.arg[1]
  if record.sent > limit then
    return ngx.ERROR
  end
end
