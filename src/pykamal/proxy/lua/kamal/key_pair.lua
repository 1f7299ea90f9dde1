-- Certificate chains with their keys, parsed once and presented to handshakes.
local ssl = require("ngx.ssl")

local M = {}

-- nil and the reason for what is no PEM.
function M.parse(chain, key)
  local parsed_chain, problem = ssl.parse_pem_cert(chain)
  if not parsed_chain then
    return nil, problem
  end
  local parsed_key
  parsed_key, problem = ssl.parse_pem_priv_key(key)
  if not parsed_key then
    return nil, problem
  end
  return { chain = parsed_chain, key = parsed_key }
end

-- Makes the pair the one certificate of the handshake that is under way.
function M.present(pair)
  ssl.clear_certs()
  local ok, problem = ssl.set_cert(pair.chain)
  if ok then
    ok, problem = ssl.set_priv_key(pair.key)
  end
  return ok, problem
end

return M
