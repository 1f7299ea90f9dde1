-- Chooses the target of a request (spec/proxy.md 10 and 12).
local counters = ngx.shared.counters
local var, now = ngx.var, ngx.now
local byte, find, gmatch, lower = string.byte, string.find, string.gmatch, string.lower
local match, sub, tonumber = string.match, string.sub, tonumber

local M = {}

local function fnv1a32(text)
  local hash = 2166136261
  for i = 1, #text do
    local low = hash % 256
    hash = hash - low + bit.bxor(low, byte(text, i))
    -- The prime is 2^24 + 403; both products stay exact in a double.
    hash = (hash * 403 + (hash % 256) * 16777216) % 4294967296
  end
  return hash
end

-- The value of the first cookie of that name, quotes around it removed; "" without one. nginx's own variables for
-- cookies take capitals and commas for what they are not.
local function cookie(name)
  local beginning = name .. "="
  for pair in gmatch(var.http_cookie or "", "[^;]+") do
    local start = find(pair, "%S")
    if start and sub(pair, start, start + #name) == beginning then
      local value = sub(pair, start + #beginning)
      return match(value, '^"(.*)"$') or value
    end
  end
  return ""
end

local function in_rollout(service)
  local value = cookie("kamal-rollout")
  if value == "" then
    return false
  end
  return service.listed[value] or fnv1a32(value) <= service.split.percentage_split_point
end

local function is_websocket(method, upgrade)
  return upgrade and method == "GET" and lower(var.http_upgrade) == "websocket"
end

local function stays_on_writers()
  local until_ms = tonumber(match(cookie("kamal-writer"), "^%-?%d+$"))
  return until_ms and until_ms > now() * 1000
end

local function next_of(targets)
  local count = targets.count
  if count < 2 then
    return targets[1]
  end
  return targets[counters:incr(targets.turns, 1, 0) % count + 1]
end

-- The target, or nil when no healthy one may serve this request.
function M.pick(record, method, upgrade)
  local service = record.service
  local set = service.active
  if service.split and service.rollout and in_rollout(service) then
    set = service.rollout
  end
  record.affinity = false
  if not set.has_readers then
    return next_of(set.writers)
  end
  local reads = (method == "GET" or method == "HEAD")
    and (service.read_targets_accept_websockets or not is_websocket(method, upgrade))
  if not reads then
    record.affinity = service.writer_affinity_timeout_ms > 0
    return next_of(set.writers)
  end
  if set.readers.count == 0 or stays_on_writers() then
    return next_of(set.writers)
  end
  return next_of(set.readers)
end

return M
