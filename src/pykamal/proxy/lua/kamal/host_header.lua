-- One name for the host: the same for routing, for the target and for the log.
local var, req = ngx.var, ngx.req
local gsub, lower, match = string.gsub, string.lower, string.match

local REMEMBERED, LONGEST = 1000, 300 -- a name has 253 bytes at most; a header may have a hundred thousand

local M = {}
local known, count = {}, 0 -- Host header -> host, where both are the same

-- `text` is `host[:port]`, with capitals or a final dot; `host` is what nginx made of it.
local function is_written(text, host)
  if known[text] == host then
    return true
  end
  local name = match(text, "^(.-):%d*$") or text
  if gsub(lower(name), "%.$", "") ~= host then
    return false
  end
  if #text <= LONGEST then
    if count >= REMEMBERED then
      known, count = {}, 0
    end
    known[text] = host
    count = count + 1
  end
  return true
end

-- False for a request that is meant for no host or for two. The host of an absolute target replaces the header
-- (spec/proxy.md 5), also as `record.authority`. Sets `record.host`: lower case, no port, no final dot; "" for none.
function M.agrees(record)
  local written, host = var.http_host, var.host
  record.host = host
  if written and (written == host or is_written(written, host)) then
    return true
  end
  local target = match(var.request, "^%S+ %a[%w+.-]*://([^/?#%s]*)")
  if target then
    record.authority = target
    var.kamal_authority = target
    return is_written(target, host)
  end
  return not written and req.http_version() ~= 0.9
end

return M
