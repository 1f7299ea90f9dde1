-- The end of a request: in-flight count, metrics, and the log attributes that are not static.
local contract = require("kamal.contract")
local json_log = require("kamal.json_log")
local response_header_timeout = require("kamal.response_header_timeout")
local requests = require("kamal.requests")
local metrics = require("kamal.metrics")
local policy = require("kamal.policy")

local var = ngx.var
local encoded, shortened = json_log.encoded, json_log.shortened
local lower, gsub = string.lower, string.gsub

local function joined(value)
  if type(value) == "table" then
    return table.concat(value, ",")
  end
  return value or ""
end

-- The log attributes of the listed headers, in order (spec/proxy.md 19).
local function attributes(line, prefix, names, headers, longest)
  for _, name in ipairs(names) do
    name = lower(name)
    local key = prefix .. gsub(name, "-", "_")
    line[#line + 1] = encoded(key) .. ":" .. shortened(joined(headers[name]), longest)
  end
end

-- nginx's log format cannot name a field at run time, so a service's own choice of headers is written here, and so is
-- what must be repaired before it is JSON.
local function write_line(service)
  json_log.write_line(function(longest)
    local line = {}
    for i, field in ipairs(contract.access_log) do
      local value = field.variable == "" and field.text or var[field.variable] or ""
      line[i] = '"' .. field.name .. '":' .. (field.is_number and value or shortened(value, longest))
    end
    if service then
      attributes(line, "req_", service.log_request_headers, ngx.req.get_headers(0), longest)
      attributes(line, "resp_", service.log_response_headers, ngx.resp.get_headers(0), longest)
    end
    return "{" .. table.concat(line, ",") .. "}"
  end)
end

-- `kamal_log` is `headers` from the start, which is what Kamal asks for: setting it costs. A request that nginx refused
-- before that has no value, and no line.
local function log(service)
  if not service or service.log == "plain" then
    if var.kamal_log == "headers" then
      var.kamal_log = "plain"
    end
  elseif service.log == "own" then
    var.kamal_log = "written"
    write_line(service)
  end
end

local WRITTEN_BY_NGINX = { plain = true, headers = true }

local function repair(service)
  if var.kamal_is_loggable == "" and WRITTEN_BY_NGINX[var.kamal_log] then
    var.kamal_log = "written"
    write_line(service)
  end
end

-- Sets the status for a client that left: 499, or that of spec/proxy.md 13 where it left in the middle of a body. nginx calls
-- that 400, like a body that is malformed, which is answered.
local function describe_departure(record)
  local service, status = record.service, ngx.status
  if not service or status ~= 400 and status ~= 499 or var.bytes_sent ~= "0" then
    return
  end
  var.kamal_service = service.name
  if status == 400 then
    ngx.status = service.buffer_requests and 500 or 499
  end
end

return function()
  local record = requests.close()
  if not record then
    log(nil)
    return repair(nil)
  end
  if not record.all_defaults then
    policy.wake(record)
    response_header_timeout.arrived(record)
    describe_departure(record)
    log(record.service)
  end
  repair(record.service)
  metrics.count(record)
  requests.release(record)
end
