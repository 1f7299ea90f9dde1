-- The address of a name is good for a moment only: where containers come and go, another one may have it next.
-- A container starts more slowly than a lease ends, so nothing new is sent to an address that changed hands.
local networks = require("kamal.networks")

local now, sleep, timer_at, exiting = ngx.now, ngx.sleep, ngx.timer.at, ngx.worker.exiting
local counters = ngx.shared.counters
local byte, char, find, gsub, sub = string.byte, string.char, string.find, string.gsub, string.sub

local LEASE_S, RENEWED_BEFORE_S = 0.1, 0.05
local UNANSWERED_LEASE_S = 1 -- a name server that is away gives no address to another container
local PATIENCE_MS = 250
local ASKING_S = 0.3 -- longer than that only where the client left, and its question with it
local STEP_S = 0.002
local KEEP_PERIOD_S = 0.02
local PORT, LONGEST_ANSWER = 53, 4096
local SERVER_FAILURE = 2
local DOCKERS_OWN = "127.0.0.11" -- answers for containers by itself; whatever else it says comes from elsewhere
local HEADER = "\1\0\0\1\0\0\0\0\0\0"

local M = {}

local function question(host, address)
  local labels = gsub(host, "([^.]+)%.?", function(label) return char(#label) .. label end)
  return char(math.random(0, 255), math.random(0, 255)) .. HEADER .. labels .. "\0\0"
    .. (#address == 4 and "\1" or "\28") .. "\0\1"
end

-- True or false by the server's word, nil when there is none.
local function confirmed(target)
  local address = networks.binary((gsub(target.address, "[%[%]]", "")))
  local text = question(target.host, address)
  local channel = ngx.socket.udp()
  channel:settimeout(PATIENCE_MS)
  local answer = channel:setpeername(target.name_server, PORT) and channel:send(text) and channel:receive(LONGEST_ANSWER)
  channel:close()
  if not answer or sub(answer, 1, 2) ~= sub(text, 1, 2) then
    return nil
  end
  if byte(answer, 4) % 16 == SERVER_FAILURE and target.name_server ~= DOCKERS_OWN then
    return nil
  end
  return find(answer, address, #text + 1, true) ~= nil
end

local function is_asked_about(target)
  return target.asking ~= nil and target.asking > now()
end

local function ask(target)
  target.asking = now() + ASKING_S
  local answer = confirmed(target)
  target.asking = nil
  if answer == false then
    target.lease = 0
    counters:set("suspect:" .. target.id, true, 60)
    return false
  end
  target.lease = now() + (answer and LEASE_S or UNANSWERED_LEASE_S)
  return true
end

local function renew(premature, target)
  if not premature then
    ask(target)
  end
end

-- True while a target's lease runs; does not wait. A lease that ends soon is renewed meanwhile.
function M.runs(target)
  local left = (target.lease or 0) - now()
  if left > 0 and left < RENEWED_BEFORE_S and not is_asked_about(target) then
    target.asking = now() + ASKING_S
    timer_at(0, renew, target)
  end
  return left > 0
end

-- Targets of uploads that are still being read: nothing may be sent there once the address is another's.
local kept, keeping = {}, false -- target -> number of uploads

local function keep_on(premature)
  keeping = false
  if not premature and next(kept) then
    for target in pairs(kept) do
      if not M.runs(target) and not is_asked_about(target) then
        target.asking = now() + ASKING_S
        timer_at(0, renew, target)
      end
    end
    keeping = timer_at(KEEP_PERIOD_S, keep_on) ~= nil
  end
end

-- The lease of a request's target is renewed from now on, until `release`.
function M.keep(record)
  local target = record.target
  record.leased_target = target
  kept[target] = (kept[target] or 0) + 1
  if not keeping then
    keep_on(false)
  end
end

-- Ends `keep`. True while the address is the target's, also when its lease has ended this moment. A worker that is about to
-- end can ask no name server any more.
function M.release(record)
  local target = record.leased_target
  record.leased_target = nil
  local count = kept[target] - 1
  kept[target] = count > 0 and count or nil
  return (target.lease or 0) + LEASE_S > now() or exiting()
end

-- True when a request may be sent to a target's address now; asks the name server when it was not asked lately.
function M.holds(target)
  if M.runs(target) then
    return true
  end
  if not is_asked_about(target) then
    return ask(target)
  end
  repeat
    sleep(STEP_S)
  until not is_asked_about(target)
  return (target.lease or 0) > now()
end

return M
