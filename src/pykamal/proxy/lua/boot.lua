-- Loads the last snapshot before the port opens, and looks after each worker's beginning and end.
local cjson = require("cjson.safe")
local ffi = require("ffi")

ffi.cdef("int kill(int pid, int signal);")

-- `internal` is the unguessable prefix of our own locations; `body_rungs` are the static body limits, ascending.
local M = { internal = "", builtin_pages = {}, body_rungs = {}, metrics = false }

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- `directory` holds snapshot.json ([{name, document}, ...]) and pages.json ({status: html}).
function M.load(directory, settings)
  M.internal, M.body_rungs, M.metrics = settings.internal, settings.body_rungs, settings.metrics
  require("passwords").make_key()
  M.builtin_pages = assert(cjson.decode(read(directory .. "/pages.json")))
  require("flights").make_room()
  local services = require("services")
  for _, document in ipairs(assert(cjson.decode(read(directory .. "/snapshot.json")))) do
    local ok, problem = services.publish({ document }, {})
    if not ok then
      ngx.log(ngx.ERR, "cannot serve ", document.name, ": ", problem)
    end
  end
end

-- Requests in flight keep a leaving worker alive; connections that only carry upgraded traffic, or
-- that never sent a request, do not (spec/proxy.md 20).
local function leave(premature)
  if not premature then
    return
  end
  local requests = require("requests")
  while requests.active > 0 do
    ngx.sleep(0.02)
  end
  ngx.sleep(0.05)
  ffi.C.kill(ngx.worker.pid(), 15)
end

function M.start_worker()
  local counters = ngx.shared.counters
  local number = ngx.worker.id()
  if not number then
    return
  end
  -- A worker that was killed left its counts behind; this one has the same number and none in flight.
  local prefix = number .. ":"
  for _, key in ipairs(counters:get_keys(0)) do
    if string.sub(key, 1, #prefix) == prefix then
      counters:delete(key)
    end
  end
  require("flights").start_worker(number)
  require("services").start_worker()
  require("metrics").start_worker(number)
  require("cutter").start_worker()
  require("late").start_worker()
  require("heartbeats").start_worker(number)
  assert(ngx.timer.at(100000000, leave))
end

return M
