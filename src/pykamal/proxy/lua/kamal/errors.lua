-- Answers that the proxy makes itself: error pages, redirects, malformed requests.
local protection = require("kamal.protection")
local requests = require("kamal.requests")
local settings = require("kamal.settings")
local json_log = require("kamal.json_log")
local paths = require("kamal.paths")

local header, var = ngx.header, ngx.var
local counters = ngx.shared.counters
local find = string.find

local REASONS = {
  [400] = "Bad Request", [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout",
  [413] = "Request Entity Too Large", [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [500] = "Internal Server Error", [502] = "Bad Gateway",
  [503] = "Service Unavailable", [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}

-- An answer without a status line made nginx take the whole exchange for HTTP/0.9, in which it sends no head:
-- so the head is part of the text here.
local function send_with_head(status, content_type, body)
  local head = "HTTP/1.1 " .. status .. " " .. (REASONS[status] or "Error") .. "\r\nDate: " .. ngx.http_time(ngx.time())
    .. "\r\nContent-Type: " .. content_type .. "\r\nContent-Length: " .. #body
    .. "\r\nConnection: close\r\n\r\n"
  ngx.status = status
  if ngx.req.get_method() == "HEAD" then
    -- nginx would send nothing at all.
    ngx.req.set_method(ngx.HTTP_GET)
    body = ""
  end
  ngx.print(head, body)
  return ngx.eof()
end

local function send(status, content_type, body)
  if ngx.req.http_version() == 0.9 and (var.http2 or "") == "" then
    return send_with_head(status, content_type, body)
  end
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
  local method = record.method
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

-- The request never was routed.
local function malformed(status)
  var.kamal_log = "none"
  if find(var.request or "", "^OPTIONS %* HTTP/1%.[01]$") then
    header.Server = nil
    ngx.status = 200
    header["Content-Length"] = 0
    return ngx.eof()
  end
  return send(status, "text/plain; charset=utf-8", status .. " " .. (REASONS[status] or "Error") .. "\n")
end

local function blame_target(record, status)
  local target = record.target
  if record.cancelled then
    json_log.write("INFO", "Request cancelled due to draining", { service = record.service.name, target = target.name })
    return 504
  end
  if record.timed_out then
    status = 504
  end
  if counters:add("suspect:" .. target.id, true, 60) then
    counters:rpush("suspects", target.id)
  end
  json_log.write("ERROR", "Error while proxying", {
    target = target.name, path = record.path, error = status == 504 and "timeout" or "no valid response",
  })
  return status
end

-- An internal redirect resets nginx's variables and turns the request into a GET: put back what the log needs.
local function describe(record)
  var.kamal_path = record.path
  var.kamal_method = record.method
  if record.authority then
    var.kamal_authority = record.authority
  end
  if record.service then
    var.kamal_service = record.service.name
  end
  if record.target then
    var.kamal_target = record.target.name
  end
  if record.remote_addr then
    var.kamal_remote = record.remote_addr
  end
end

local M = {}

-- The health check path of a service that is paused or stopped.
function M.healthy()
  describe(requests.current())
  header.Server = nil
  header["Content-Length"] = 0
  return ngx.eof()
end

-- A short text, for requests that are not for the service's targets.
function M.plain(status, text)
  local record = requests.current()
  record.path = record.path or paths.decoded(var.request_uri)
  describe(record)
  return send(status, "text/plain; charset=utf-8", text)
end

-- Answers every status that `error_page` sends here.
function M.answer()
  local record = requests.current()
  local status = record and record.refused_status or ngx.status
  if not record or not record.service and (status == 400 or status == 431) then
    return malformed(status)
  end
  record.path = record.path or paths.decoded(var.request_uri)
  describe(record)
  local service = record.service
  if service and service.headers then
    protection.add_headers(record)
  end
  if status == 301 then
    return redirect(record)
  end
  if status == 401 then
    header["WWW-Authenticate"] = record.auth_challenge
  elseif status == 429 then
    header["Retry-After"] = record.retry_after
  end
  if record.target and (record.cancelled or status == 502 or status == 504) then
    status = blame_target(record, status)
  end
  local name = tostring(status)
  local page = service and service.pages[name]
    or settings.builtin_pages[name]
    or "<h1>" .. status .. " " .. (REASONS[status] or "Error") .. "</h1>"
  return send(status, "text/html; charset=utf-8", page)
end

return M
