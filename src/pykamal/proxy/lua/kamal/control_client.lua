-- Asks the control plane over its unix socket (proxy/acme/socket_server.py).
local cjson = require("cjson.safe")
local contract = require("kamal.contract")

local refusals = ngx.shared.refusals

local M = {}

-- Asks once; a refusal is remembered for as long as it holds, so that a flood of clients is not a flood of questions.
-- True, false for a refusal, or nil when the control plane is away.
function M.ask(question)
  local key = question.ask .. "|" .. question.service .. "|" .. question.host .. "|" .. (question.key_type or "")
  if refusals:get(key) then
    return false
  end
  local connection = ngx.socket.tcp()
  connection:settimeouts(1000, 1000, contract.control_timeout_ms)
  local ok = connection:connect("unix:" .. contract.control_socket)
  if not ok or not connection:send(cjson.encode(question) .. "\n") then
    return nil
  end
  local answer = cjson.decode(connection:receive("*l") or "")
  connection:close()
  if not answer then
    return nil
  end
  if not answer.ok and answer.again_in > 0 then
    refusals:set(key, true, answer.again_in)
  end
  return answer.ok
end

return M
