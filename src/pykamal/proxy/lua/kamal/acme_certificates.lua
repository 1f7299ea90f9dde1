-- Certificates that were obtained for services with automatic TLS: in shared memory, behind it the control plane.
local ffi = require("ffi")
local base = require("resty.core.base")
local lrucache = require("resty.lrucache")
local cjson = require("cjson.safe")
local key_pair = require("kamal.key_pair")
local control_client = require("kamal.control_client")

ffi.cdef([[
void *ngx_http_lua_ffi_get_req_ssl_pointer(void *r, const char **err);
void *SSL_get_client_ciphers(const void *ssl);
int OPENSSL_sk_num(const void *stack);
void *OPENSSL_sk_value(const void *stack, int index);
int SSL_CIPHER_get_auth_nid(const void *cipher);
int SSL_get_sigalgs(void *ssl, int index, int *sign, int *hash, int *both, unsigned char *raw_sign, unsigned char *raw_hash);
]])

local C = ffi.C
local certificates = ngx.shared.certificates
local problem_text = ffi.new("const char *[1]")
local AUTHENTICATED_BY_RSA = 1046 -- NID_auth_rsa; the ciphers of TLS 1.3 leave the kind open
local SIGNED_BY_ECDSA = 408 -- NID_X9_62_id_ecPublicKey
local signature = ffi.new("int[1]")
local PARSED = 2000
-- After this time the control plane is asked again: it learns which certificates are in use, and reads the newest.
local FRESH_S = 3600

local parsed = assert(lrucache.new(PARSED)) -- key -> {text, pair}

local M = {}

-- `request` is {key, chain, private_key, valid_for}.
function M.install(request)
  local text = cjson.encode({
    chain = request.chain, key = request.private_key, expires = ngx.time() + request.valid_for,
  })
  certificates:set(request.key, text, math.max(0.001, math.min(request.valid_for, FRESH_S)))
end

-- True when a cipher that the client offers can go with another key than RSA.
local function has_open_cipher(connection)
  local ciphers = C.SSL_get_client_ciphers(connection)
  if ciphers == nil then
    return true
  end
  for i = 0, C.OPENSSL_sk_num(ciphers) - 1 do
    if C.SSL_CIPHER_get_auth_nid(C.OPENSSL_sk_value(ciphers, i)) ~= AUTHENTICATED_BY_RSA then
      return true
    end
  end
  return false
end

-- True when the client verifies signatures of ECDSA; one that names none, as TLS 1.2 allows, leaves it to its ciphers.
local function verifies_ecdsa(connection)
  local count = C.SSL_get_sigalgs(connection, 0, signature, nil, nil, nil, nil)
  for i = 0, count - 1 do
    C.SSL_get_sigalgs(connection, i, signature, nil, nil, nil, nil)
    if signature[0] == SIGNED_BY_ECDSA then
      return true
    end
  end
  return count == 0
end

-- The client takes no other key than RSA.
local function insists_on_rsa()
  local connection = C.ngx_http_lua_ffi_get_req_ssl_pointer(base.get_request(), problem_text)
  return connection ~= nil and not (has_open_cipher(connection) and verifies_ecdsa(connection))
end

local function pair_of(key, text)
  local known = parsed:get(key)
  if known and known.text == text then
    return known.pair
  end
  local stored = cjson.decode(text)
  if not stored or stored.expires <= ngx.time() then
    return nil
  end
  local pair, problem = key_pair.parse(stored.chain, stored.key)
  if not pair then
    ngx.log(ngx.ERR, "an issued certificate cannot be read: ", problem)
    return nil
  end
  parsed:set(key, { text = text, pair = pair }, stored.expires - ngx.time())
  return pair
end

-- The pair for a handshake; waits while it is being issued, nil when there is none to be had.
function M.find(service, host)
  local key_type = insists_on_rsa() and "rsa" or "ecdsa"
  local key = service.automatic.origin .. "|" .. host .. "|" .. key_type
  local text = certificates:get(key)
  if not text then
    local answer = control_client.ask({ ask = "certificate", service = service.name, host = host, key_type = key_type })
    if answer == false then
      return nil
    end
    -- Without an answer the control plane is away, and what it said before still holds.
    text = certificates:get_stale(key)
  end
  return text and pair_of(key, text)
end

return M
