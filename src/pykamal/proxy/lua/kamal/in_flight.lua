-- Requests in flight and upgraded connections: a count for each target in each worker, in memory that all workers see.
-- Unlike an entry of a shared dictionary a count costs neither a look-up nor a lock.
local ffi = require("ffi")
local documents = ngx.shared.services -- refuses what does not fit, where other dictionaries drop the oldest

ffi.cdef("void *mmap(void *address, size_t length, int protection, int flags, int descriptor, long offset);")

local READ_AND_WRITE, SHARED_AND_ANONYMOUS = 0x3, 0x21
local SLOTS = 2 ^ 20 -- one after the other is used, and memory taken as they are
local CROWDED = 0 -- shared by targets whose slot could not be stored

local M = {}
local counts -- rows of SLOTS: in flight by worker, upgraded by worker, cuts
local own, own_upgraded, cuts

local function row(number)
  return counts + number * SLOTS
end

-- Allocates the counts, in the master, before there are workers.
function M.allocate()
  local size = SLOTS * (2 * ngx.worker.count() + 1) * ffi.sizeof("int32_t")
  local address = ffi.C.mmap(nil, size, READ_AND_WRITE, SHARED_AND_ANONYMOUS, -1, 0)
  assert(ffi.cast("intptr_t", address) ~= -1, "no memory for counting requests")
  counts = ffi.cast("int32_t *", address)
  cuts = row(2 * ngx.worker.count())
  documents:safe_set("slots", 0)
end

function M.start_worker(number)
  own, own_upgraded = row(number), row(ngx.worker.count() + number)
  -- A worker that was killed left its counts behind; this one has the same number and none in flight.
  local used = math.min(documents:get("slots") + 1, SLOTS) * ffi.sizeof("int32_t")
  ffi.fill(own, used)
  ffi.fill(own_upgraded, used)
end

local function key(id)
  return "f:" .. id
end

-- Where the target with this id is counted. Should two ever share a slot, after a million of them, a drain of one also
-- waits for the other.
function M.slot(id)
  local slot = documents:get(key(id))
  if not slot then
    slot = (documents:incr("slots", 1) - 1) % (SLOTS - 1) + 1
    local _, problem = documents:safe_add(key(id), slot)
    if problem == "exists" then
      return documents:get(key(id))
    elseif problem then
      return CROWDED
    end
  end
  return slot
end

-- Counts a request, and returns the number of cuts of its target so far.
function M.enter(slot)
  own[slot] = own[slot] + 1
  return cuts[slot]
end

function M.leave(slot)
  own[slot] = own[slot] - 1
end

function M.upgrade(slot)
  own[slot] = own[slot] - 1
  own_upgraded[slot] = own_upgraded[slot] + 1
end

function M.leave_upgraded(slot)
  own_upgraded[slot] = own_upgraded[slot] - 1
end

-- Returns the target's requests in flight and its upgraded connections, over all workers.
function M.totals(id)
  local slot = documents:get(key(id)) or CROWDED
  local workers = ngx.worker.count()
  local in_flight, upgraded = 0, 0
  for worker = 0, workers - 1 do
    in_flight = in_flight + row(worker)[slot]
    upgraded = upgraded + row(workers + worker)[slot]
  end
  return in_flight, upgraded
end

-- From now on no request that was counted before is sent to this target, in any worker.
function M.cut(id)
  local slot = documents:get(key(id))
  if slot then
    cuts[slot] = cuts[slot] + 1
  end
end

-- True when the target of a slot was cut since a request entered it and got this number.
function M.was_cut(slot, number)
  return cuts[slot] ~= number
end

-- Forgets the slot of a target that has ended.
function M.forget(id)
  documents:delete(key(id))
end

return M
