-- Upgrades and event streams may be silent for a day, but not before their answer begins (spec/proxy.md 17). nginx has one
-- limit for both, so it gets the day, and the wait for the answer is ended here.
local connection_killer = require("kamal.connection_killer")

local now = ngx.now
local PERIOD_S = 0.05

local M = {}
local waiting = {} -- record -> true

-- From now on the answer has `record.header_timeout_ms`, where that is set.
function M.expect(record)
  if record.header_timeout_ms then
    record.header_deadline = now() + record.header_timeout_ms / 1000
    waiting[record] = true
  end
end

-- The answer has begun, or the request has ended.
function M.arrived(record)
  if record.header_deadline then
    record.header_deadline = nil
    waiting[record] = nil
  end
end

local function look()
  for record in pairs(waiting) do
    if now() >= record.header_deadline and connection_killer.close(record) then
      record.timed_out = true
      M.arrived(record)
    end
  end
end

function M.start_worker()
  assert(ngx.timer.every(PERIOD_S, look))
end

return M
