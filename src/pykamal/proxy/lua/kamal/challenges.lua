-- Answers an authority that fetches an HTTP-01 challenge (spec/proxy.md 7.3).
local errors = require("kamal.errors")
local control_client = require("kamal.control_client")
local requests = require("kamal.requests")
local cjson = require("cjson.safe")

local var = ngx.var
local challenges = ngx.shared.challenges
local sub = string.sub

local PREFIX = "/.well-known/acme-challenge/"
local KEPT_S = 600

local M = {}

function M.concerns(path)
  return sub(path, 1, #PREFIX) == PREFIX
end

-- `challenge` is {token, host, text}.
function M.publish(challenge)
  assert(challenges:set(challenge.token, cjson.encode(challenge), KEPT_S))
end

function M.answer()
  local token = string.match(sub(var.request_uri, #PREFIX + 1), "^[^?]*")
  local service = requests.current().service
  local found = cjson.decode(challenges:get(token) or "")
  if found and found.host == var.host then
    return errors.plain(200, found.text)
  end
  if service.automatic.on_demand
    and not control_client.ask({ ask = "approval", service = service.name, host = var.host }) then
    return errors.plain(403, "403 Forbidden\n")
  end
  return errors.plain(404, "404 Not Found\n")
end

return M
