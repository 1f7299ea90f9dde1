-- Answers that the proxy makes itself: error pages, redirects, malformed requests.
local requests = require("requests")
local boot = require("boot")
local json_log = require("json_log")
local paths = require("paths")

local header, var = ngx.header, ngx.var
local counters = ngx.shared.counters
local find = string.find

local REASONS = {
  [400] = "Bad Request", [404] = "Not Found", [408] = "Request Timeout", [413] = "Request Entity Too Large",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}
-- nginx's own codes for conditions that have a standard one.
local STANDARD = { [414] = 431, [494] = 431, [495] = 400, [496] = 400, [497] = 400 }

local function send(status, content_type, body)
  ngx.status = status
  header.Server = nil
  header["Content-Type"] = content_type
  header["Content-Length"] = #body
  if ngx.req.get_method() ~= "HEAD" then
    ngx.print(body)
  end
  return ngx.eof()
end

local function redirect(record)
  header.Location = record.location
  header.Connection = "close"
  local method = ngx.req.get_method()
  if method ~= "GET" and method ~= "HEAD" then
    header.Server = nil
    ngx.status = 301
    header["Content-Length"] = 0
    return ngx.eof()
  end
  local escaped = record.location:gsub("[&<>\"']", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&#34;", ["'"] = "&#39;" })
  return send(301, "text/html; charset=utf-8", '<a href="' .. escaped .. '">Moved Permanently</a>.\n')
end

-- The request never reached the routing: nothing is known of it but its first line.
local function malformed(status)
  if find(var.request or "", "^OPTIONS %* HTTP/1%.[01]$") then
    header.Server = nil
    ngx.status = 200
    header["Content-Length"] = 0
    return ngx.eof()
  end
  var.kamal_log = "none"
  return send(status, "text/plain; charset=utf-8", status .. " " .. (REASONS[status] or "Error") .. "\n")
end

local function blame_target(record, status)
  local target = record.target
  if counters:get("drained:" .. target.id) then
    json_log.write("INFO", "Request cancelled due to draining", { service = record.service.name, target = target.name })
    return 504
  end
  counters:set("suspect:" .. target.id, true, 60)
  json_log.write("ERROR", "Error while proxying", {
    target = target.name, path = record.path, error = status == 504 and "timeout" or "no valid response",
  })
  return status
end

return function()
  local status = ngx.status
  status = STANDARD[status] or status
  local record = requests.current()
  if not record then
    return malformed(status)
  end
  record.path = record.path or paths.decoded(var.request_uri)
  var.kamal_path = record.path
  local service = record.service
  if service then
    var.kamal_service = service.name
  end
  if status == 301 then
    return redirect(record)
  end
  if (status == 502 or status == 504) and record.target then
    status = blame_target(record, status)
  end
  if record.text then
    return send(status, "text/plain; charset=utf-8", record.text)
  end
  local name = tostring(status)
  local page = service and service.pages[name]
    or boot.builtin_pages[name]
    or "<h1>" .. status .. " " .. (REASONS[status] or "Error") .. "</h1>"
  return send(status, "text/html; charset=utf-8", page)
end
