-- Routes a request to its target: service, redirects, pause and stop, limits, load balancing, in-flight count.
local contract = require("kamal.contract")
local host_header = require("kamal.host_header")
local in_flight = require("kamal.in_flight")
local header_lines = require("kamal.header_lines")
local dns_lease = require("kamal.dns_lease")
local requests = require("kamal.requests")
local services = require("kamal.services")
local paths = require("kamal.paths")
local policy = require("kamal.policy")
local balancing = require("kamal.balancing")
local metrics = require("kamal.metrics")
local settings = require("kamal.settings")

local var = ngx.var
local get_method, set_header = ngx.req.get_method, ngx.req.set_header
local exit, exec = ngx.exit, ngx.exec
local now, sleep = ngx.now, ngx.sleep
local lower, find = string.lower, string.find

local UNSURE_S, UNSURE_STEP_S = 2, 0.02
local MAX_HEADER_BYTES = contract.max_header_bytes

-- Every method that the proxy may send again when a pooled connection turns out to be closed.
local REPLAYABLE = { GET = true, HEAD = true, OPTIONS = true }

local function speaks_http2(secure)
  return secure and var.http2 ~= ""
end

local function enter_target(record, target, slot, revision)
  local cuts = in_flight.enter(slot)
  -- A deploy may have been published between the look-up and the count; its drain did not see us.
  if services.changed_since(revision) then
    in_flight.leave(slot)
    return false
  end
  record.in_flight_slot, record.cuts = slot, cuts
  record.target = target
  return true
end

-- False when it is not certain that the target still has its address: the control plane is told, and the request waits a
-- little for the answer.
local function is_certain(record, target)
  if not target.name_server or not target.address or dns_lease.holds(target) then
    return true
  end
  record.lease_wait_until = record.lease_wait_until or now() + UNSURE_S
  if now() > record.lease_wait_until then
    record.target = target
    return exit(502)
  end
  sleep(UNSURE_STEP_S)
  return false
end

local function match_path(record, list)
  local path = record.path
  if not path then
    path = paths.decoded(var.request_uri)
    record.path = path
  end
  return services.match(list, path)
end

-- A request that was held stays with its service, even when that serves other hosts by now (spec/proxy.md 9.1 and 11).
local function find_binding(record)
  local paused = record.paused_binding
  if paused then
    local service = services.by_name[paused.service.name]
    return service and { service = service, prefix = paused.prefix, length = paused.length }
  end
  local list = services.bindings(record.host)
  if not list then
    return nil
  end
  return list.only_root and list[1] or match_path(record, list)
end

-- The route of a service that leaves nothing to decide, nil for others.
local function find_route(record)
  local list = services.bindings(record.host)
  if not list then
    return nil
  end
  if list.only_root then
    return list.route
  end
  local binding = match_path(record, list)
  return binding and binding.service.route
end

local function location_for(service, upgrade)
  if upgrade then
    return "@upgrade"
  end
  local limited = service.buffer_responses and service.max_response_body_size > 0
  return "@" .. (service.buffer_requests and "buffered" or "streamed")
    .. (limited and "_limited" or service.buffer_responses and "_buffered" or "_streamed")
end

local function has_body()
  return var.http_content_length or var.http_transfer_encoding
end

-- HTTP/2 needs no header for a body.
local function may_have_body(record)
  return record.is_http2 or has_body()
end

local function is_upload(record, method)
  return has_body() or record.is_http2 and not REPLAYABLE[method]
end

local function forward(record, binding, method, upgrade)
  local service = record.service
  local raw = var.request_uri
  if service.strip_prefix and binding.length > 1 then
    raw = paths.stripped(raw, binding.length)
    record.stripped_prefix = binding.prefix
  end
  if service.buffer_requests and record.target.name_server and is_upload(record, method) then
    dns_lease.keep(record)
  end
  var.kamal_uri = raw
  var.kamal_pool = (REPLAYABLE[method] and not record.streaming and not has_body()) and "pooled" or "fresh"
  if upgrade then
    var.kamal_upgrading = "1"
  end
  return exec(location_for(service, upgrade))
end

-- nginx reads the first line of the header only.
local function join_target_names()
  local names, count = header_lines.joined("x-kamal-target")
  if count > 1 then
    set_header("X-Kamal-Target", names)
  end
end

local function accepts_events()
  local accept = var.http_accept
  return accept and find(accept, "text/event-stream", 1, true)
end

-- False where the body is passed on as it comes: the target timeout starts at its end, which is not known here.
local function is_sent_at_once(record, method, upgrade)
  return record.service.buffer_requests and not upgrade or not is_upload(record, method)
end

local function forward_chosen(record, binding, revision, method, upgrade)
  local service = record.service
  local target = balancing.pick(record, method, upgrade)
  var.kamal_service = service.name
  if not target then
    return exit(503)
  end
  var.kamal_target = target.name
  if not target.address then
    record.target = target
    return exit(502)
  end
  if not is_certain(record, target) or not enter_target(record, target, target.slot, revision) then
    return false
  end
  join_target_names()
  if service.adapts_headers then
    policy.adapt_headers(record)
  end
  record.streaming = upgrade or accepts_events()
  if record.streaming then
    record.response_timeout_ms = 0
    local limit_ms = service.response_timeout_ms
    record.header_timeout_ms = limit_ms > 0 and is_sent_at_once(record, method, upgrade) and limit_ms
  end
  return forward(record, binding, method, upgrade)
end

local M = {}

-- Routes a request whose record is open: to its target, or to an answer of this proxy.
function M.route(record)
  local method = record.method
  header_lines.drop_lookalikes()
  local connection = header_lines.joined("connection")
  local upgrade = false
  if connection and connection ~= "keep-alive" and connection ~= "close" then
    upgrade = policy.connection_options(lower(connection))
  end

  while true do
    local revision = services.sync()
    local binding = find_binding(record)
    if binding then
      local service = binding.service
      record.service = service
      record.response_timeout_ms = service.response_timeout_ms
      if settings.metrics then
        metrics.enter(record, service, policy.target_path(record, binding))
      end
      if policy.admitted(record, binding, method) then
        forward_chosen(record, binding, revision, method, upgrade)
      end
    elseif not record.paused_binding or not policy.hold(record, 0) then
      -- Where the service of a held request went, it stays held for its time.
      record.service = nil
      return exit(record.paused_binding and 504 or 404)
    end
    -- Here the table changed while we looked or waited: look again.
  end
end

-- False for a request that `run` must look at after all.
local function is_still_plain(record, service, target)
  return not (service.body_limit > 0 and may_have_body(record))
    and (not target.name_server or dns_lease.runs(target))
end

-- Fast way: one writer, nothing to decide, no body. "1" for a request that is on its way to its target, "" for one that
-- `run` must look at. Cannot wait.
function M.run_plain(secure)
  local method, is_http2 = get_method(), speaks_http2(secure)
  if method ~= "GET" and method ~= "HEAD" or not header_lines.are_plain(MAX_HEADER_BYTES, is_http2) or accepts_events() then
    return ""
  end
  local record = requests.open()
  record.secure, record.method, record.is_http2 = secure, method, is_http2
  if not host_header.agrees(record) then
    return ""
  end
  local revision = services.sync()
  local route = find_route(record)
  if not route or route.secure ~= secure then
    return ""
  end
  local service, target, all_defaults = route.service, route.target, route.all_defaults
  if not all_defaults and not is_still_plain(record, service, target)
    or not enter_target(record, target, route.slot, revision) then
    return ""
  end
  record.service, record.all_defaults = service, all_defaults
  record.response_timeout_ms = route.response_timeout_ms
  if settings.metrics then
    metrics.enter(record, service, record.path or paths.decoded(var.request_uri))
  end
  var.kamal_service = route.service_name
  var.kamal_target = route.target_name
  if not all_defaults and service.adapts_headers then
    policy.adapt_headers(record)
  end
  return "1"
end

function M.run(secure)
  local record = requests.open()
  record.secure = secure
  record.method = get_method()
  record.is_http2 = speaks_http2(secure)
  local status = header_lines.refusal(tonumber(var.request_length), MAX_HEADER_BYTES, record.is_http2)
  if status then
    return exit(status)
  end
  if not host_header.agrees(record) then
    return exit(400)
  end
  return M.route(record)
end

return M
