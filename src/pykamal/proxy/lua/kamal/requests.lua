-- One record for each request that is being served by this worker, found by the request's own address:
-- unlike ngx.ctx it survives internal redirects, and unlike an nginx variable it costs no string.
local ffi = require("ffi")
local base = require("resty.core.base")
local in_flight = require("kamal.in_flight")
local dns_lease = require("kamal.dns_lease")
local new_table, clear = require("table.new"), require("table.clear")

local counters = ngx.shared.counters
local cast, tonumber = ffi.cast, tonumber
local get_request = base.get_request
local uintptr = ffi.typeof("uintptr_t")

local FIELDS = 16 -- room for what most requests have, so that the table never grows

local MOST_SPARE = 1024

local M = { active = 0 }
local records = {}
local spare, spares = {}, 0 -- records of ended requests: new ones would be most of what the garbage collector has to do

local function key()
  return tonumber(cast(uintptr, get_request()))
end

function M.current()
  return records[key()]
end

-- Takes the request out of its target's in-flight count, and its address out of those that are looked up for uploads;
-- harmless when it is in none.
function M.leave_target(record)
  if record.leased_target then
    dns_lease.release(record)
  end
  local slot = record.in_flight_slot
  if slot then
    record.in_flight_slot = nil
    in_flight.leave(slot)
  end
end

-- For the body filter: a target that has given its whole answer is free, be it that the client still sends a body which
-- nobody reads (nginx ends the request seconds later).
function M.answered()
  if ngx.arg[2] then
    local record = records[key()]
    if record then
      M.leave_target(record)
    end
  end
end

-- Takes the request out of what its client has open (kamal/protection.lua).
function M.leave_client(record)
  local counter = record.client_counter_key
  if counter then
    record.client_counter_key = nil
    if counters:incr(counter, -1) == 0 then
      counters:delete(counter)
    end
  end
end

function M.open()
  local k = key()
  local stale = records[k]
  if stale then
    M.leave_target(stale)
    M.leave_upgraded(stale)
    M.leave_client(stale)
    clear(stale)
    return stale
  end
  M.active = M.active + 1
  local record
  if spares > 0 then
    record = spare[spares]
    spares = spares - 1
  else
    record = new_table(0, FIELDS)
  end
  records[k] = record
  return record
end

-- An upgraded connection no longer delays a drain or the end of this worker.
function M.upgrade(record)
  local slot = record.in_flight_slot
  if slot then
    record.in_flight_slot, record.upgraded, record.upgraded_slot = nil, true, slot
    M.active = M.active - 1
    in_flight.upgrade(slot)
  end
end

-- The target has its end of an upgraded connection closed, be it that its client has not read everything yet.
function M.leave_upgraded(record)
  local slot = record.upgraded_slot
  if slot then
    record.upgraded_slot = nil
    in_flight.leave_upgraded(slot)
  end
end

-- The records of what these targets (a set of ids) have here, in flight or upgraded.
function M.of_targets(ids)
  local found = {}
  for _, record in pairs(records) do
    if record.target and ids[record.target.id] then
      found[#found + 1] = record
    end
  end
  return found
end

-- Takes the record of a request that ends, in the log phase; nil for requests that never were routed.
function M.close()
  local k = key()
  local record = records[k]
  if not record then
    return nil
  end
  records[k] = nil
  M.leave_target(record)
  M.leave_client(record)
  M.leave_upgraded(record)
  if not record.upgraded then
    M.active = M.active - 1
  end
  return record
end

-- Nobody looks at this record any more.
function M.release(record)
  if spares < MOST_SPARE then
    clear(record)
    spares = spares + 1
    spare[spares] = record
  end
end

return M
