-- Basic authentication. A password is hashed once in a while, in a thread, and then remembered by a keyed digest.
local cjson = require("cjson.safe")
local clients = require("kamal.clients")

local var, req = ngx.var, ngx.req
local limits = ngx.shared.limits
local decode_base64, digest, sleep = ngx.decode_base64, ngx.hmac_sha1, ngx.sleep
local find, gsub, match = string.find, string.gsub, string.match

local REMEMBERED_S = 300
local FAILURES, FAILURES_WITHIN_S = 10, 60
local HASHING, HASHING_S, WAIT_STEP_S = "?", 2, 0.02
local LONGEST_HEADER = 1024
local UNKNOWN_USER = "$2b$10$abcdefghijklmnopqrstuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu"

local M = { key = "" }

-- Called before the workers start, which must share the key.
function M.make_key()
  local file = assert(io.open("/dev/urandom", "rb"))
  M.key = file:read(32)
  file:close()
end

-- `given` are the settings of the protections, by the names of proxy/contract.py.
function M.prepare(given, service_name)
  local exceptions = {}
  for _, path in ipairs(given.basic_auth_except) do
    exceptions[path] = true
  end
  local names = {}
  for name, hash in pairs(given.users) do
    names[#names + 1] = name .. ":" .. hash
  end
  table.sort(names)
  return {
    users = given.users,
    exceptions = exceptions,
    challenge = 'Basic realm="' .. gsub(given.basic_auth_realm, '[\\"]', "\\%0") .. '", charset="UTF-8"',
    -- A changed user or password forgets what was remembered.
    scope = service_name .. "\0" .. cjson.encode(names) .. "\0",
  }
end

local function credentials(header)
  local encoded = #header <= LONGEST_HEADER and match(header, "^[Bb][Aa][Ss][Ii][Cc] +(%S+)$")
  local text = encoded and decode_base64(encoded)
  if not text or find(text, "%z") then
    return nil
  end
  return match(text, "^([^:]*):(.*)$")
end

local function refuse(record, auth)
  record.auth_challenge = auth.challenge
  return 401
end

-- The status with which a new password is refused, nil for the right one.
local function check(record, auth, header, remembered)
  local failures = "failures:" .. record.service.name .. "\0" .. clients.key(record)
  if (limits:get(failures) or 0) >= FAILURES then
    record.retry_after = FAILURES_WITHIN_S
    return 429
  end
  local user, password = credentials(header)
  if not user then
    return refuse(record, auth)
  end
  -- An unknown user costs as much time as a known one.
  local hash = auth.users[user]
  local answered, matches = ngx.run_worker_thread("passwords", "kamal.crypt", "matches", password, hash or UNKNOWN_USER)
  if not answered then
    return 503
  end
  if not matches or not hash then
    limits:incr(failures, 1, 0, FAILURES_WITHIN_S)
    return refuse(record, auth)
  end
  limits:set(remembered, true, REMEMBERED_S)
end

-- False for the request that has to hash the password; others that bring the same at once wait for it.
local function is_known(remembered)
  while not limits:get(remembered) do
    local added, problem = limits:add(remembered .. HASHING, true, HASHING_S)
    if added or problem ~= "exists" then
      return false
    end
    sleep(WAIT_STEP_S)
  end
  return true
end

-- The status with which a request is refused, nil when it may go on. `target_path` is its path as the target would see it.
function M.refusal(record, auth, target_path)
  if auth.exceptions[target_path] or auth.exceptions[record.path] then
    return nil
  end
  local header = record.authorization or var.http_authorization
  if not header then
    return refuse(record, auth)
  end
  local remembered = "user:" .. digest(M.key, auth.scope .. header)
  if not is_known(remembered) then
    local status = check(record, auth, header, remembered)
    limits:delete(remembered .. HASHING)
    if status then
      return status
    end
  end
  record.authorization = header
  req.clear_header("Authorization")
  return nil
end

return M
