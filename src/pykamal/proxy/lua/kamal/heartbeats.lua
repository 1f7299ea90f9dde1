-- Shows the control plane that each worker's event loop turns (proxy/workers.py).
local contract = require("kamal.contract")
local counters = ngx.shared.counters


local M = {}

-- {{pid = process id, beats = number}, ...}
function M.all()
  local found = {}
  for worker = 0, ngx.worker.count() - 1 do
    found[#found + 1] = { pid = counters:get(worker .. ":pid"), beats = counters:get(worker .. ":beats") }
  end
  return found
end

-- The names of what is counted begin with the worker's number, so that they go when it is killed (kamal/settings.lua).
function M.start_worker(number)
  counters:set(number .. ":pid", ngx.worker.pid())
  counters:set(number .. ":beats", 0)
  assert(ngx.timer.every(contract.heartbeat_s, function()
    counters:incr(number .. ":beats", 1)
  end))
end

return M
