-- Sends the request to the target that the access phase chose.
local balancer = require("ngx.balancer")
local contract = require("kamal.contract")
local connection_killer = require("kamal.connection_killer")
local in_flight = require("kamal.in_flight")
local response_header_timeout = require("kamal.response_header_timeout")
local dns_lease = require("kamal.dns_lease")
local requests = require("kamal.requests")

local CONNECT_S, STREAM_S = contract.connect_timeout_s, contract.stream_timeout_s
local DEFAULT_MS = contract.response_timeout_ms -- what nginx.conf has

-- nginx answers 500 when this phase fails; kamal/errors.lua takes the status from the record.
local function refuse(record)
  record.refused_status = 502
  return ngx.exit(ngx.ERROR)
end

return function()
  local record = requests.current()
  local target = record.target
  -- The drain that cancelled it may have ended before its upload did, or have closed a kept connection under it. This
  -- worker need not have heard of that yet.
  if record.cancelled or in_flight.was_cut(record.in_flight_slot, record.cuts) then
    record.cancelled = true
    return ngx.exit(ngx.ERROR)
  end
  if record.leased_target and not dns_lease.release(record) then
    return refuse(record)
  end
  local ok, problem = balancer.set_current_peer(target.address, target.port)
  if not ok then
    ngx.log(ngx.ERR, "cannot use target ", target.name, ": ", problem)
    return refuse(record)
  end
  if record.streaming then
    record.descriptor = connection_killer.next_descriptor()
    response_header_timeout.expect(record)
  end
  local timeout_ms = record.response_timeout_ms
  if timeout_ms ~= DEFAULT_MS then
    balancer.set_timeouts(CONNECT_S, STREAM_S, timeout_ms == 0 and STREAM_S or timeout_ms / 1000)
  end
end
