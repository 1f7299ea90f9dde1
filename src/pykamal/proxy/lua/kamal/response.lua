-- Checks and adapts the head of a target's response before it goes to the client.
local protection = require("kamal.protection")
local response_header_timeout = require("kamal.response_header_timeout")
local requests = require("kamal.requests")

local header, req, var = ngx.header, ngx.req, ngx.var
local now, http_time = ngx.now, ngx.http_time
local gsub, match, find, sub, lower = string.gsub, string.match, string.find, string.sub, string.lower

local function set_affinity(service)
  local suppressed = header["X-Writer-Affinity"]
  header["X-Writer-Affinity"] = nil
  if suppressed == "false" then
    return
  end
  local until_ms = math.floor(now() * 1000) + service.writer_affinity_timeout_ms
  local cookie = string.format("kamal-writer=%d; Path=/; Expires=%s; HttpOnly",
    until_ms, http_time(math.floor(until_ms / 1000) + 1))
  local present = header["Set-Cookie"]
  if type(present) == "table" then
    present[#present + 1] = cookie
    header["Set-Cookie"] = present
  else
    header["Set-Cookie"] = present and { present, cookie } or cookie
  end
end

-- Puts the removed prefix in front of a cookie's path, unless the cookie is for another domain (14.3).
local function scoped(cookie, prefix, host)
  local pair = match(cookie, "^[^;]*")
  if not find(pair, "^%s*[^%s=]+%s*=") then
    return cookie
  end
  local domain = match(lower(cookie), ";%s*domain%s*=%s*([^;%s]*)")
  if domain and domain ~= "" and domain ~= host then
    return cookie
  end
  local rest = sub(cookie, #pair + 1)
  local path
  rest = gsub(rest, ";%s*([Pp][Aa][Tt][Hh])%s*=%s*([^;]*)", function(_, value)
    path = value
    return ""
  end)
  path = prefix .. gsub(gsub("/" .. (path or ""), "//+", "/"), "/+%s*$", "")
  return pair .. "; Path=" .. path .. rest
end

local function scope_cookies(prefix)
  local cookies = header["Set-Cookie"]
  if not cookies then
    return
  end
  if type(cookies) ~= "table" then
    cookies = { cookies }
  end
  local host = var.host
  for i, cookie in ipairs(cookies) do
    cookies[i] = scoped(cookie, prefix, host)
  end
  header["Set-Cookie"] = cookies
end

local REFUSED = 599 -- leads to where nginx is told to end the connection: it gives up one whose request fails this late

-- Answers with an error page instead (kamal/errors.lua).
local function refuse(status)
  requests.current().refused_status = status
  return ngx.exit(REFUSED)
end

-- False where the end of the body is not certain. nginx takes the last of several lengths, goes on to the end of the connection
-- where that is no number, and takes every coding that has the word in it for chunked.
local function ends_clearly()
  local coding = var.upstream_http_transfer_encoding
  if coding and not find(lower(coding), "^%s*chunked%s*$") then
    return false
  end
  local written, length = var.upstream_http_content_length, header["Content-Length"]
  if length then
    return written == length or find(written or length, "^%d+$") and tonumber(written) == tonumber(length)
  end
  return coding or not written
end

-- False when there is no more to be done with this head, also because the target's answer cannot be used.
local function is_sound(record)
  local status = ngx.status
  if status < 200 then
    -- Over HTTP/2 nginx would send what follows as it is, for the client to take for frames of other streams.
    if status == 101 and record and var.kamal_upgrading == "1" and not record.is_http2 then
      requests.upgrade(record)
    else
      refuse(502)
    end
    return false
  end
  -- nginx takes an answer without a status line for HTTP/0.9.
  if req.http_version() == 0.9 or not ends_clearly() then
    refuse(502)
    return false
  end
  -- nginx adds neither Server nor Date to what a target sends without.
  if header.Date == nil then
    header.Date = http_time(ngx.time())
  end
  return true
end

local M = {}

-- For a service that changes nothing in it (`route_of` in kamal/services.lua).
function M.check()
  is_sound(nil)
end

function M.adapt()
  local record = requests.current()
  response_header_timeout.arrived(record)
  if not is_sound(record) then
    return
  end
  if record.affinity then
    set_affinity(record.service)
  end
  local service = record.service
  if service.headers then
    protection.add_headers(record)
  end
  if record.stripped_prefix and service.scope_cookie_paths then
    scope_cookies(record.stripped_prefix)
  end
  if service.max_response_body_size > 0 and service.buffer_responses and record.method ~= "HEAD" and ngx.status ~= 304 then
    local length = tonumber(header["Content-Length"])
    local streams = find(lower(header["Content-Type"] or ""), "^%s*text/event%-stream")
    record.response_limit = not streams and service.max_response_body_size or nil
    if record.response_limit and length and length > record.response_limit then
      return refuse(500)
    end
  end
end

return M
