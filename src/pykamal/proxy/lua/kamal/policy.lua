-- Applies a service's rules to a request before a target is chosen: redirects, pause and stop, body limits, headers.
local contract = require("kamal.contract")
local paths = require("kamal.paths")
local settings = require("kamal.settings")
local challenges = require("kamal.challenges")
local clients = require("kamal.clients")
local protection = require("kamal.protection")
local json_log = require("kamal.json_log")

local var, req = ngx.var, ngx.req
local exit, exec, now, sleep = ngx.exit, ngx.exec, ngx.now, ngx.sleep
local sub, lower, gmatch, find = string.sub, string.lower, string.gmatch, string.find
local max, min, tonumber, type = math.max, math.min, tonumber, type

local HOLD_STEP_S = 0.01
local WAKE_UPS_PER_SECOND = 50000
-- Headers that stay although a Connection header names them: they frame or route the request.
local KEPT_OPTIONS = {
  ["keep-alive"] = true, close = true, upgrade = true, te = true,
  host = true, ["content-length"] = true, ["transfer-encoding"] = true,
  ["x-forwarded-for"] = true, ["x-forwarded-host"] = true, ["x-forwarded-proto"] = true,
}

local M = {}
local waiting_count = 0

-- Reads a Connection header: removes the headers it names, and tells whether it asks for an upgrade.
function M.connection_options(value)
  local upgrade = false
  for option in gmatch(value, "[^%s,]+") do
    if option == "upgrade" then
      local protocol = lower(var.http_upgrade or "")
      -- Through a tunnel of HTTP/2 any request would pass by everything that is decided here.
      upgrade = protocol ~= "" and not find(protocol, "h2c", 1, true)
    elseif not KEPT_OPTIONS[option] then
      req.clear_header(option)
    end
  end
  return upgrade
end

local function redirected(record, service)
  local host = record.host
  local wanted = service.canonical_host ~= "" and service.canonical_host or host
  local secure = service.tls_enabled and service.tls_redirect or record.secure
  if secure == record.secure and lower(wanted) == host then
    return false
  end
  record.location = (secure and "https" or "http") .. "://" .. wanted .. var.request_uri
  return true
end

-- The path as the target would see it.
local function target_path(record, binding)
  local path = record.path or paths.decoded(var.request_uri)
  record.path = path
  if record.service.strip_prefix and binding.length > 1 then
    path = sub(path, binding.length + 1)
    if path == "" then
      path = "/"
    end
  end
  return path
end

local function asks_for_health(record, binding, method)
  return (method == "GET" or method == "HEAD") and target_path(record, binding) == record.service.health_check_path
end

-- Waits one step; false when the request has waited as long as it may.
function M.hold(record, max_wait_ms)
  if not record.pause_deadline then
    record.pause_deadline = now() + max_wait_ms / 1000
  end
  local left = record.pause_deadline - now()
  -- A shorter sleep would end within the same turn of nginx's clock, which then would never advance.
  if left < 0.001 then
    return false
  end
  record.waiting = true
  waiting_count = waiting_count + 1
  sleep(min(left, max(HOLD_STEP_S, waiting_count / WAKE_UPS_PER_SECOND)))
  M.wake(record)
  return true
end

-- Ends a wait; also called for a request that ends while it waits, since a client that leaves ends `hold`.
function M.wake(record)
  if record.waiting then
    record.waiting = nil
    waiting_count = waiting_count - 1
  end
end

-- A body of unknown length is read to its end first, behind the smallest static limit that contains
-- the service's own, so that no more than that limit reaches a disk.
local function measured(record, limit)
  local length = tonumber(var.content_length)
  if length then
    return length <= limit
  end
  if not record.body_measured and (var.http_transfer_encoding or record.is_http2) then
    for _, step in ipairs(contract.body_size_steps) do
      if limit <= step then
        return exec("@measure_" .. step)
      end
    end
  end
  return true
end

-- True: choose a target now. False: look the service up again. Does not return for an answered request.
function M.admitted(record, binding, method)
  local service = record.service
  if record.secure and not service.tls_enabled then
    return exit(503)
  end
  if service.automatic and not record.secure and challenges.concerns(var.request_uri) then
    return exec(settings.internal .. "/challenge")
  end
  if service.protection then
    local status = protection.unwelcome(record)
    if status then
      return exit(status)
    end
  end
  if service.scoped_checks and redirected(record, service) then
    return exit(301)
  end
  if service.protection then
    local status = protection.refusal(record, service.protection.basic_auth and target_path(record, binding))
    if status then
      return exit(status)
    end
  end
  local state = service.state
  if state ~= "running" then
    if asks_for_health(record, binding, method) then
      return exec(settings.internal .. "/healthy")
    end
    if state == "stopped" then
      return exit(503)
    end
    record.paused_binding = binding
    if M.hold(record, service.fail_after_ms) then
      return false
    end
    json_log.write("WARN", "Rejecting request due to expired pause", { service = service.name, path = record.path })
    return exit(504)
  end
  if service.body_limit > 0 and not measured(record, service.body_limit) then
    return exit(413)
  end
  return true
end

-- Headers that depend on the service; the common ones are static in the configuration.
function M.adapt_headers(record)
  local service = record.service
  if service.protection and service.protection.trusted_proxies then
    return clients.adapt_headers(record)
  end
  if not service.forward_headers then
    local received = var.http_x_forwarded_for
    if received then
      record.remote_addr = received
      var.kamal_remote = received
      req.clear_header("X-Forwarded-For")
    end
    if var.http_x_forwarded_host then
      req.clear_header("X-Forwarded-Host")
    end
    if var.http_x_forwarded_proto then
      req.clear_header("X-Forwarded-Proto")
    end
    if var.http_x_kamal_target then
      req.clear_header("X-Kamal-Target")
    end
  end
  local header = service.client_ip_header
  if header ~= "" then
    local address = req.get_headers(0)[lower(header)]
    if type(address) == "table" then
      address = address[1]
    end
    if address and address ~= "" then
      record.remote_addr = address
      var.kamal_remote = address
      if service.forward_headers then
        req.set_header("X-Forwarded-For", address)
      end
    end
  end
end

M.target_path = target_path

return M
