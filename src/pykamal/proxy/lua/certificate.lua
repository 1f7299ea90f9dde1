-- Hands the certificate of the right service to a TLS handshake (spec/proxy.md 7.1).
local ssl = require("ngx.ssl")
local services = require("services")
local json_log = require("json_log")

local parsed = setmetatable({}, { __mode = "k" }) -- service -> {chain, key}

local function material(service)
  local found = parsed[service]
  if not found then
    local pair = service.certificate
    local chain = assert(ssl.parse_pem_cert(pair.chain))
    local key = assert(ssl.parse_pem_priv_key(pair.key))
    found = { chain = chain, key = key }
    parsed[service] = found
  end
  return found
end

return function()
  local name = ssl.server_name()
  local service = services.for_handshake(name)
  if not service or not service.tls or not service.certificate then
    return ngx.exit(ngx.ERROR)
  end
  if not name then
    json_log.write("WARN", "TLS handshake without a server name", { service = service.name })
  end
  local pair = material(service)
  ssl.clear_certs()
  local ok, problem = ssl.set_cert(pair.chain)
  if ok then
    ok, problem = ssl.set_priv_key(pair.key)
  end
  if not ok then
    ngx.log(ngx.ERR, "cannot use the certificate of ", service.name, ": ", problem)
    return ngx.exit(ngx.ERROR)
  end
end
