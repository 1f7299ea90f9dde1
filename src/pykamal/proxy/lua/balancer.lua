-- Sends the request to the target that the access phase chose.
local balancer = require("ngx.balancer")
local cutter = require("cutter")
local flights = require("flights")
local late = require("late")
local leases = require("leases")
local requests = require("requests")

local DAY_S = 86400
local CONNECT_S = 60

-- nginx makes a 500 of whatever this phase is left with; lua/errors.lua looks at the record.
local function refuse(record)
  record.refused = 502
  return ngx.exit(ngx.ERROR)
end

return function()
  local record = requests.current()
  local target = record.target
  -- The drain that cancelled it may have ended before its upload did, or have closed a kept connection under it. This
  -- worker need not have heard of that yet.
  if record.cancelled or flights.was_cut(record.counted, record.cuts) then
    record.cancelled = true
    return ngx.exit(ngx.ERROR)
  end
  if record.kept and not leases.release(record) then
    return refuse(record)
  end
  local ok, problem = balancer.set_current_peer(target.address, target.port)
  if not ok then
    ngx.log(ngx.ERR, "cannot use target ", target.name, ": ", problem)
    return refuse(record)
  end
  if record.endless then
    record.descriptor = cutter.next_descriptor()
    late.expect(record)
  end
  local timeout_ms = record.timeout_ms
  if timeout_ms ~= 30000 then
    balancer.set_timeouts(CONNECT_S, DAY_S, timeout_ms == 0 and DAY_S or timeout_ms / 1000)
  end
end
