-- Enforces the protections of a service, each off unless asked for: networks, rate, requests at once, passwords, headers.
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

local function rate_of(given)
  if given.rate_limit == 0 then
    return nil
  end
  local burst = given.rate_limit_burst
  return { interval_s = 1 / given.rate_limit, burst = burst >= 0 and burst or ceil(given.rate_limit) }
end

local function headers_of(given)
  local headers = {}
  for i, pair in ipairs(given.security_headers) do
    headers[i] = { name = pair[1], value = pair[2], secure = lower(pair[1]) == "strict-transport-security" }
  end
  return #headers > 0 and headers or nil
end

-- Prepares what every request needs, once for each change of a service. The document's part has every setting of
-- PROTECTIONS in proxy/contract.py by its name, and `users`; it is false where there is none. What is off becomes nil.
function M.prepare(service)
  local given = service.protection
  local body_limit = service.buffer_requests and service.max_request_body_size or 0
  service.body_limit = body_limit
  if not given then
    service.protection = nil
    return
  end
  if given.body_limit > 0 then
    service.body_limit = body_limit > 0 and math.min(body_limit, given.body_limit) or given.body_limit
  end
  service.headers = headers_of(given)
  local protection = {
    trusted_proxies = networks.set(given.trusted_proxies),
    allow = networks.set(given.allow),
    deny = networks.set(given.deny),
    rate_limit = rate_of(given),
    connection_limit = given.connection_limit > 0 and given.connection_limit or nil,
    basic_auth = given.basic_auth_file ~= "" and passwords.prepare(given, service.name) or nil,
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
-- get the same one; a request that does not fit gives it back.
local function too_fast(record, rate)
  local key = "rate:" .. record.service.name .. "\0" .. clients.key(record)
  local moment, interval = now(), rate.interval_s
  local tolerance = rate.burst * interval
  local lifetime = tolerance + interval + 1
  local empty = limits:incr(key, interval, moment, lifetime)
  if not empty then
    return false -- the dictionary is full
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
    requests.leave_client(record) -- a refused request does not count, however long it takes to end
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
    if protection.rate_limit and too_fast(record, protection.rate_limit)
      or protection.connection_limit and too_many(record, protection.connection_limit) then
      return 429
    end
  end
  local status = protection.basic_auth and passwords.refusal(record, protection.basic_auth, target_path)
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
