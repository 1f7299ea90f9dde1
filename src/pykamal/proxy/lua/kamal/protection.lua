-- Protections of a service, each off unless asked for: networks, rate, requests at once, passwords, headers.
local clients = require("kamal.clients")
local networks = require("kamal.networks")
local passwords = require("kamal.passwords")
local requests = require("kamal.requests")

local counters, limits = ngx.shared.counters, ngx.shared.limits
local header = ngx.header
local now, worker_id, worker_count = ngx.now, ngx.worker.id, ngx.worker.count
local ceil = math.ceil
local lower = string.lower

local CLOCK_STEP_S = 0.01 -- by which the clocks of two workers may differ

local M = {}

-- What can be answered once a change instead of once a request. The document's part is options, False or absent.
function M.prepare(service)
  local written = service.protection
  local body = service.buffer_requests and service.max_request_body or 0
  service.body_limit = body
  if not written then
    service.protection = nil
    return
  end
  if written.body > 0 then
    service.body_limit = body > 0 and math.min(body, written.body) or written.body
  end
  for _, pair in ipairs(written.headers) do
    service.headers = service.headers or {}
    local name = pair[1]
    service.headers[#service.headers + 1] = {
      name = name, value = pair[2], secure = lower(name) == "strict-transport-security",
    }
  end
  local protection = {
    trusted = networks.set(written.trusted),
    allow = networks.set(written.allow),
    deny = networks.set(written.deny),
    rate = written.rate or nil,
    connections = written.connections > 0 and written.connections or nil,
    auth = written.auth and passwords.prepare(written.auth, service.name) or nil,
  }
  service.protection = next(protection) and protection or nil
end

-- The status with which a client's address is refused, nil when it is welcome.
function M.unwelcome(record)
  local protection = record.service.protection
  if record.identified_service ~= record.service then
    record.identified_service = record.service
    clients.identify(record)
  end
  if protection.deny and networks.contains(protection.deny, record.client)
    or protection.allow and not networks.contains(protection.allow, record.client) then
    return 403
  end
end

-- A bucket that leaks (GCRA): the stored moment is when it will be empty. One step takes the place, so that no two workers
-- get the same one; who does not fit gives it back.
local function too_fast(record, rate)
  local key = "rate:" .. record.service.name .. "\0" .. clients.key(record)
  local moment, interval = now(), rate.interval_s
  local tolerance = rate.burst * interval
  local lifetime = tolerance + interval + 1
  local empty = limits:incr(key, interval, moment, lifetime)
  if not empty then
    return false -- no room for it
  end
  local before = empty - interval
  if before < moment - CLOCK_STEP_S then
    limits:set(key, moment + interval, lifetime)
  elseif before - moment > tolerance + 0.0005 then
    limits:incr(key, -interval)
    record.retry_after = ceil(before - moment - tolerance)
    return true
  else
    limits:expire(key, lifetime)
  end
  return false
end

-- Counted for each worker, so that the counts of one that was killed can be dropped (kamal/settings.lua).
local function too_many(record, limit)
  local name = ":client:" .. record.service.name .. "\0" .. clients.key(record)
  local own = worker_id()
  local total = counters:incr(own .. name, 1, 0)
  record.client_counter_key = own .. name
  for worker = 0, worker_count() - 1 do
    if worker ~= own then
      total = total + (counters:get(worker .. name) or 0)
    end
  end
  if total > limit then
    requests.leave_client(record) -- it may take its time to end, and has no place
    record.retry_after = 1
    return true
  end
  return false
end

-- The status with which a request is refused, nil when it may go on. Counts a request once, however often it is asked.
-- `target_path` is needed where there are passwords.
function M.refusal(record, target_path)
  local service = record.service
  local protection = service.protection
  if record.admitted_service == service then
    return nil
  end
  if not record.client_limits_counted then
    record.client_limits_counted = true
    if protection.rate and too_fast(record, protection.rate)
      or protection.connections and too_many(record, protection.connections) then
      return 429
    end
  end
  local status = protection.auth and passwords.refusal(record, protection.auth, target_path)
  if not status then
    record.admitted_service = service
  end
  return status
end

-- Response headers that the target (or this proxy) did not set itself.
function M.add_headers(record)
  for _, entry in ipairs(record.service.headers) do
    if header[entry.name] == nil and (record.secure or not entry.secure) then
      header[entry.name] = entry.value
    end
  end
end

return M
