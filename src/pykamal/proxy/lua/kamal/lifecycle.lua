-- Starts and ends nginx: loads the last snapshot before the ports open, starts each worker, and lets it end.
local cjson = require("cjson.safe")
local ffi = require("ffi")
local settings = require("kamal.settings")

ffi.cdef("int kill(int pid, int signal);")

local M = {}

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- `directory` holds snapshot.json ([{name, document}, ...]) and pages.json ({status: html}); `given` are kamal/settings.lua's.
function M.load(directory, given)
  for name, value in pairs(given) do
    settings[name] = value
  end
  settings.builtin_pages = assert(cjson.decode(read(directory .. "/pages.json")))
  require("kamal.passwords").make_key()
  require("kamal.in_flight").allocate()
  local services = require("kamal.services")
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
  local requests = require("kamal.requests")
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
  require("kamal.in_flight").start_worker(number)
  require("kamal.services").start_worker()
  require("kamal.metrics").start_worker(number)
  require("kamal.connection_killer").start_worker()
  require("kamal.response_header_timeout").start_worker()
  require("kamal.heartbeats").start_worker(number)
  assert(ngx.timer.at(100000000, leave))
end

return M
