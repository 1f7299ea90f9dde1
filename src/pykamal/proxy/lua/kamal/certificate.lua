-- Hands the certificate of the right service to a TLS handshake (spec/proxy.md 7.1).
local ssl = require("ngx.ssl")
local services = require("kamal.services")
local acme_certificates = require("kamal.acme_certificates")
local key_pair = require("kamal.key_pair")
local json_log = require("kamal.json_log")

local lower, sub = string.lower, string.sub

local custom = setmetatable({}, { __mode = "k" }) -- service -> parsed pair

local function material(service, name)
  if not service.certificate then
    return acme_certificates.find(service, name or service.hosts[1])
  end
  local pair = custom[service]
  if not pair then
    pair = assert(key_pair.parse(service.certificate.chain, service.certificate.key))
    custom[service] = pair
  end
  return pair
end

return function()
  local name = ssl.server_name()
  if name then
    name = lower(name)
    name = sub(name, -1) == "." and sub(name, 1, -2) or name
  end
  local service = services.for_handshake(name)
  if not service or not service.tls_enabled then
    return ngx.exit(ngx.ERROR)
  end
  if not name then
    json_log.write("WARN", "TLS handshake without a server name", { service = service.name })
  end
  local pair = material(service, name)
  if not pair then
    return ngx.exit(ngx.ERROR)
  end
  local ok, problem = key_pair.present(pair)
  if not ok then
    ngx.log(ngx.ERR, "cannot use the certificate of ", service.name, ": ", problem)
    return ngx.exit(ngx.ERROR)
  end
end
