-- Calls of the control plane, on a unix socket that nothing else can reach.
local cjson = require("cjson.safe")
local connection_killer = require("kamal.connection_killer")
local in_flight = require("kamal.in_flight")
local heartbeats = require("kamal.heartbeats")
local acme_certificates = require("kamal.acme_certificates")
local challenges = require("kamal.challenges")
local services = require("kamal.services")

local counters = ngx.shared.counters

local function body()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then
    local name = ngx.req.get_body_file()
    if name then
      local file = assert(io.open(name, "rb"))
      text = file:read("*a")
      file:close()
    end
  end
  return assert(cjson.decode(text or "{}"))
end

local answers = {}

-- {changed: [document], removed: [name], complete: bool} -> {problem: reason}, without one when it is done; complete
-- means that every other service goes.
answers["/publish"] = function()
  local request = body()
  local removed = request.removed
  if request.complete then
    local kept = {}
    for _, service in ipairs(request.changed) do
      kept[service.name] = true
    end
    for _, name in ipairs(services.stored_names()) do
      if not kept[name] then
        removed[#removed + 1] = name
      end
    end
  end
  local _, problem = services.publish(request.changed, removed)
  return { problem = problem }
end

local function count(ids)
  local requests, connections = 0, 0
  for _, id in ipairs(ids) do
    local of_target, upgraded = in_flight.totals(id)
    requests, connections = requests + of_target, connections + upgraded
  end
  return { in_flight = requests, upgraded = connections }
end

-- {targets: [id]} -> {in_flight: n, upgraded: n}
answers["/in-flight"] = function()
  return count(body().targets)
end

-- {targets: [id]}: these have ended.
answers["/forget"] = function()
  for _, id in ipairs(body().targets) do
    in_flight.forget(id)
  end
  return {}
end

-- {ids: [id], targets: [{address, port}]}: cancels what targets with these ids have in flight, over connections to these
-- addresses; without targets only upgraded connections are closed. Answers like /in-flight: workers take a moment.
answers["/end-connections"] = function()
  local order = body()
  connection_killer.order(order)
  return count(order.ids)
end

-- {key, chain, private_key, valid_for: seconds}
answers["/certificate"] = function()
  acme_certificates.install(body())
  return {}
end

-- {token, host, text}
answers["/challenge"] = function()
  challenges.publish(body())
  return {}
end

-- {} -> {workers: [{pid, beats}]}
answers["/heartbeats"] = function()
  return { workers = heartbeats.all() }
end

-- Targets that failed since the last call.
answers["/suspects"] = function()
  local ids = setmetatable({}, cjson.array_mt)
  local id = counters:lpop("suspects")
  while id do
    ids[#ids + 1] = id
    counters:delete("suspect:" .. id)
    id = counters:lpop("suspects")
  end
  return { targets = ids }
end

-- The target ids in use, for a control plane that starts again: {service: [active, rollout]},
-- each a list of pairs of name and id
answers["/targets"] = function()
  services.sync()
  local found = {}
  for name, service in pairs(services.by_name) do
    found[name] = service.target_ids
  end
  return found
end

return function()
  local answer = answers[ngx.var.uri]
  if not answer then
    return ngx.exit(404)
  end
  ngx.header["Content-Type"] = "application/json"
  ngx.print(cjson.encode(answer()))
end
