-- Prometheus counters: collected in each worker, added up in shared memory, rendered on demand.
local settings = require("kamal.settings")
local shared = ngx.shared.metrics

local sub, format = string.sub, string.format
local BUCKETS = { 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
  CONNECT = true, OPTIONS = true, TRACE = true }
local FLUSH_S = 0.2

local M = {}
local series = {}   -- "service\0method\0status" -> {count, sum, bucket 1, bucket 2, ...}
local in_flight = {} -- service -> requests in this worker
local worker = 0

-- Called once a request has found its service ("" for none) and again if that changes while it is held.
function M.enter(record, service, path)
  if not settings.metrics or record.metrics_service == service.name then
    return
  end
  M.leave(record)
  if service.excluded[path] then
    return
  end
  record.metrics_service = service.name
  in_flight[service.name] = (in_flight[service.name] or 0) + 1
end

function M.leave(record)
  local name = record.metrics_service
  if name then
    record.metrics_service = nil
    in_flight[name] = in_flight[name] - 1
  end
end

function M.count(record)
  if not settings.metrics then
    return
  end
  local service = record.metrics_service
  M.leave(record)
  if not service then
    if record.service then
      return
    end
    service = ""
  end
  local method = record.method
  local key = service .. "\0" .. (METHODS[method] and method or "OTHER") .. "\0" .. ngx.status
  local values = series[key]
  if not values then
    values = { 0, 0 }
    for i = 1, #BUCKETS do
      values[i + 2] = 0
    end
    series[key] = values
  end
  local seconds = ngx.now() - ngx.req.start_time()
  values[1] = values[1] + 1
  values[2] = values[2] + seconds
  for i = 1, #BUCKETS do
    if seconds <= BUCKETS[i] then
      values[i + 2] = values[i + 2] + 1
    end
  end
end

local function flush()
  for key, values in pairs(series) do
    for i, value in ipairs(values) do
      if value ~= 0 then
        shared:incr("s" .. i .. "\0" .. key, value, 0)
      end
    end
  end
  series = {}
  for service, count in pairs(in_flight) do
    shared:set("g" .. worker .. "\0" .. service, count)
    if count == 0 then
      in_flight[service] = nil
    end
  end
end

function M.start_worker(number)
  worker = number
  if not settings.metrics then
    return
  end
  for _, key in ipairs(shared:get_keys(0)) do
    if sub(key, 1, #("g" .. worker) + 1) == "g" .. worker .. "\0" then
      shared:delete(key)
    end
  end
  assert(ngx.timer.every(FLUSH_S, flush))
end

local function escaped(label)
  return (label:gsub("[\\\"\n]", { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

local function collect()
  local totals, gauges = {}, {}
  for _, key in ipairs(shared:get_keys(0)) do
    local kind, index, rest = key:match("^([sg])(%d+)%z(.*)$")
    local value = shared:get(key) or 0
    if kind == "g" then
      gauges[rest] = (gauges[rest] or 0) + value
    elseif kind == "s" then
      totals[rest] = totals[rest] or {}
      totals[rest][tonumber(index)] = value
    end
  end
  return totals, gauges
end

local function labels_of(key)
  local service, method, status = key:match("^(.-)%z(.-)%z(.*)$")
  return format('method="%s",service="%s",status="%s"', method, escaped(service), status)
end

local function sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

function M.render()
  flush()
  local totals, gauges = collect()
  local lines = {
    "# HELP kamal_proxy_http_requests_total HTTP requests processed, labeled by service, status code and method.",
    "# TYPE kamal_proxy_http_requests_total counter",
  }
  local keys = sorted_keys(totals)
  for _, key in ipairs(keys) do
    lines[#lines + 1] = format("kamal_proxy_http_requests_total{%s} %d", labels_of(key), totals[key][1] or 0)
  end
  local name = "kamal_proxy_http_request_duration_seconds"
  lines[#lines + 1] = "# HELP " .. name .. " Duration of HTTP requests, labeled by service, status code and method."
  lines[#lines + 1] = "# TYPE " .. name .. " histogram"
  for _, key in ipairs(keys) do
    local labels, values = labels_of(key), totals[key]
    for i, bound in ipairs(BUCKETS) do
      lines[#lines + 1] = format('%s_bucket{%s,le="%s"} %d', name, labels, bound, values[i + 2] or 0)
    end
    lines[#lines + 1] = format('%s_bucket{%s,le="+Inf"} %d', name, labels, values[1] or 0)
    lines[#lines + 1] = format("%s_sum{%s} %.6f", name, labels, values[2] or 0)
    lines[#lines + 1] = format("%s_count{%s} %d", name, labels, values[1] or 0)
  end
  lines[#lines + 1] = "# HELP kamal_proxy_http_in_flight_requests HTTP requests being served, labeled by service."
  lines[#lines + 1] = "# TYPE kamal_proxy_http_in_flight_requests gauge"
  for _, service in ipairs(sorted_keys(gauges)) do
    lines[#lines + 1] = format('kamal_proxy_http_in_flight_requests{service="%s"} %d', escaped(service), gauges[service])
  end
  return table.concat(lines, "\n") .. "\n"
end

return M
