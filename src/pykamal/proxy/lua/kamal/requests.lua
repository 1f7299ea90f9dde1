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

local FIELDS = 16 -- as many as most requests have, so that the table never grows

-- Everything that is known of a request. A field is nil until it is set.
---@class kamal.Record
---@field admitted_service table       service whose protections the request has passed
---@field affinity boolean             the response sets the cookie that keeps the client on writers
---@field all_defaults boolean         nothing is adapted for it: no own log format, body limit, header change or DNS lease
---@field auth_challenge string        WWW-Authenticate of a 401
---@field authority string             host of an absolute request target, which replaces the Host header
---@field authorization string         Authorization header that was accepted, and is not passed on
---@field body_measured boolean        the body of unknown length was read and is within the limit
---@field cancelled boolean            a drain cancelled the request
---@field client string                client's address, 4 or 16 bytes
---@field client_counter_key string    key of the shared counter of requests that this client has open
---@field client_limits_counted boolean  rate and requests at once were counted
---@field client_text string           client's address as text
---@field cuts number                  cuts of the target when the request entered it (kamal/in_flight.lua)
---@field descriptor number            socket of a streaming request's connection to its target
---@field forwarded_for string         entries of X-Forwarded-For that a trusted proxy vouches for
---@field from_trusted_proxy boolean   the connection comes from a trusted proxy
---@field header_deadline number       moment by which response headers must have come, of a streaming request
---@field header_timeout_ms number     time for that, in milliseconds
---@field host string                  host for routing: lower case, no port, no final dot; "" for none
---@field identified_service table     service for which `client` was found
---@field in_flight_slot number        slot of the target's in-flight count that has the request (kamal/in_flight.lua)
---@field is_http2 boolean             HTTP/2
---@field lease_wait_until number      moment until which it waits for the target's DNS lease
---@field leased_target table          target whose DNS lease is renewed for this upload
---@field location string              address of a redirect
---@field method string                request method
---@field metrics_service string       name of the service that metrics count the request for
---@field path string                  decoded path
---@field pause_deadline number        moment until which a paused service may hold it
---@field paused_binding table         binding whose paused service has held it
---@field refused_status number        status of an answer that this proxy gives instead of the target
---@field remote_addr string           client's address for the log, where it is not that of the connection
---@field response_bytes number        bytes of the response body so far
---@field response_limit number        most bytes of the response body
---@field response_timeout_ms number   time for response headers and between two reads, in milliseconds; 0 for none
---@field retry_after number           Retry-After of a 429, in seconds
---@field secure boolean               TLS
---@field service table                service that answers (kamal/services.lua)
---@field streaming boolean            upgrade or event stream, which may be silent for a day
---@field stripped_prefix string       path prefix that the target does not see
---@field target table                 target that was chosen
---@field timed_out boolean            response headers of a streaming request did not come in time
---@field upgraded boolean             the connection was upgraded
---@field upgraded_slot number         slot of the target's count of upgraded connections that has it
---@field waiting boolean              held by a paused service at this moment

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

-- For the body filter: a target that has given its whole answer is free, even while the client still sends a body that is not
-- read (nginx ends the request seconds later).
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

-- The target has closed its end of an upgraded connection; the client may not have read everything yet.
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

-- Keeps the record of a request that has ended for another one.
function M.release(record)
  if spares < MOST_SPARE then
    clear(record)
    spares = spares + 1
    spare[spares] = record
  end
end

return M
