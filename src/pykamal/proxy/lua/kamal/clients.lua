-- Finds the client's address, where other proxies may stand in front of this one.
local header_lines = require("kamal.header_lines")
local networks = require("kamal.networks")

local var, req = ngx.var, ngx.req
local gmatch, lower, match, sub = string.gmatch, string.lower, string.match, string.sub
local concat = table.concat

local M = {}

-- The address in one entry of X-Forwarded-For, which may carry a port.
local function bare(entry)
  local address = match(entry, "^%[(.-)%]") or match(entry, "^(%d+%.%d+%.%d+%.%d+):%d+$") or entry
  return address, networks.binary(address)
end

local function received(service)
  local header = service.client_ip_header
  local own = header ~= "" and req.get_headers(0)[lower(header)]
  if type(own) == "table" then
    own = own[#own]
  end
  return own and own ~= "" and own or var.http_x_forwarded_for or ""
end

-- The rightmost address that is not trusted, and everything right of it; the list left of it may be invented.
local function believed(list, trusted)
  local entries = {}
  for entry in gmatch(list, "[^%s,]+") do
    entries[#entries + 1] = entry
  end
  local client, binary
  local first = #entries + 1
  for i = #entries, 1, -1 do
    local address, found = bare(entries[i])
    if not found then
      break
    end
    client, binary, first = address, found, i
    if not networks.contains(trusted, found) then
      break
    end
  end
  return client, binary, concat(entries, ", ", first)
end

-- Sets `client` (binary), `client_text`, `from_trusted_proxy` (X-Forwarded-* count) and `forwarded_for` (what to forward of
-- X-Forwarded-For).
function M.identify(record)
  local service = record.service
  local trusted = service.protection.trusted_proxies
  record.client, record.client_text = networks.normal(var.binary_remote_addr), var.remote_addr
  record.from_trusted_proxy, record.forwarded_for = false, ""
  if trusted and networks.contains(trusted, record.client) then
    local client, binary, chain = believed(received(service), trusted)
    record.from_trusted_proxy, record.forwarded_for = true, chain
    if client then
      record.client, record.client_text = binary, client
    end
  end
end

-- The key by which limits count. An IPv6 client commands its whole network of 64 bits.
function M.key(record)
  return #record.client == 4 and record.client or sub(record.client, 1, 8)
end

-- Headers to the target where only trusted proxies may speak for others.
function M.adapt_headers(record)
  local header = record.service.client_ip_header
  if header ~= "" then
    header_lines.drop_lookalikes({ [lower(header)] = true })
  end
  if record.from_trusted_proxy then
    if record.forwarded_for ~= "" then
      req.set_header("X-Forwarded-For", record.forwarded_for)
    else
      req.clear_header("X-Forwarded-For")
    end
  else
    for _, name in ipairs({ "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Kamal-Target" }) do
      req.clear_header(name)
    end
    if header ~= "" then
      req.clear_header(header)
    end
  end
  record.remote_addr = record.client_text
  var.kamal_remote = record.client_text
end

return M
