-- The service table: documents in shared memory with a change log, decoded once in each worker.
local cjson = require("cjson.safe")
local contract = require("kamal.contract")
local in_flight = require("kamal.in_flight")
local protection = require("kamal.protection")
local documents = ngx.shared.services

local insert, remove = table.insert, table.remove
local sub, find, byte = string.sub, string.find, string.byte
local LOG_LENGTH = 4096

-- A service is a document (`document` in proxy/services.py) with these fields beside:
---@class kamal.Service
---@field adapts_headers boolean   the request's headers are changed for this service
---@field body_limit number        largest request body in bytes, by its options or its protection; 0 for none
---@field excluded table           paths that are kept out of metrics, as a set
---@field headers table?           response headers to add: {name, value, secure}
---@field listed table             values of the rollout cookie that always use the rollout set, as a set
---@field log string               access log by nginx without (plain) or with the usual headers (headers), or by Lua (own)
---@field route table?             see `route_of`
---@field scoped_checks boolean    requests may be redirected
local LOGGED_BY_NGINX = table.concat(contract.logged_request_headers, ","):lower() .. "|"

local M = { by_name = {}, seen = 0 }
local by_host = {} -- host ("" = any) -> list of bindings, longest prefix first

-- A list with nothing but a binding to "/" answers for every path.
local function summarize(list)
  list.only_root = #list == 1 and list[1].length == 1
  list.route = list.only_root and list[1].service.route
end

local function unbind(service)
  for _, host in ipairs(service.hosts) do
    local list = by_host[host]
    if list then
      for i = #list, 1, -1 do
        if list[i].service.name == service.name then
          remove(list, i)
        end
      end
      if #list == 0 then
        by_host[host] = nil
      else
        summarize(list)
      end
    end
  end
end

local function bind(service)
  for _, host in ipairs(service.hosts) do
    local list = by_host[host]
    if not list then
      list = {}
      by_host[host] = list
    end
    for _, prefix in ipairs(service.path_prefixes) do
      local place = #list + 1
      while place > 1 and list[place - 1].length < #prefix do
        place = place - 1
      end
      insert(list, place, { service = service, prefix = prefix, length = #prefix })
    end
    summarize(list)
  end
end

-- `turns` names the counter of the turns that these targets take.
local function prepare_targets(targets, turns)
  for _, target in ipairs(targets) do
    target.slot = in_flight.slot(target.id)
  end
  targets.count, targets.turns = #targets, turns
end

-- All that a request needs to know of a service with nothing to decide (kamal/access.lua), nil for any other. A table of its
-- own, with eight fields: where there are thousands of services, what a request looks at is in no processor's cache.
local function route_of(service)
  local active = service.active
  if service.state ~= "running" or service.canonical_host ~= "" or service.split or service.strip_prefix
    or active.writers.count ~= 1 or active.has_readers
    or not service.buffer_requests or not service.buffer_responses or service.max_response_body_size > 0
    or service.protection or service.headers then
    return nil
  end
  local target = active.writers[1]
  if not target.address then
    return nil
  end
  return {
    service = service,
    service_name = service.name,
    target = target,
    target_name = target.name,
    slot = target.slot,
    response_timeout_ms = service.response_timeout_ms,
    secure = service.tls_enabled,
    all_defaults = service.log == "headers" and service.body_limit == 0 and not service.adapts_headers and not target.name_server,
  }
end

-- Adds to a document, once for each change, what every request needs: the fields of kamal.Service.
local function prepare(service)
  for i, set in ipairs({ service.active, service.rollout or nil }) do
    prepare_targets(set.writers, "turns:w" .. i .. service.name)
    prepare_targets(set.readers, "turns:r" .. i .. service.name)
  end
  local listed = {}
  for _, value in ipairs(service.split and service.split.allowlist or {}) do
    listed[value] = true
  end
  service.listed = listed
  service.excluded = {}
  for _, path in ipairs(service.exclude_metrics_paths) do
    service.excluded[path] = true
  end
  protection.prepare(service)
  service.scoped_checks = service.tls_enabled or service.canonical_host ~= ""
  service.adapts_headers = not service.forward_headers or service.client_ip_header ~= ""
    or service.protection and service.protection.trusted_proxies ~= nil
  local logged = table.concat(service.log_request_headers, ","):lower() .. "|" .. table.concat(service.log_response_headers, ",")
  service.log = logged == "|" and "plain" or logged == LOGGED_BY_NGINX and "headers" or "own"
  service.route = route_of(service)
end

local function forget(name)
  local old = M.by_name[name]
  if old then
    M.by_name[name] = nil
    unbind(old)
  end
end

local function learn(name)
  forget(name)
  local text = documents:get("s:" .. name)
  if text then
    local service, problem = cjson.decode(text)
    if not service then
      ngx.log(ngx.ERR, "service document ", name, " cannot be decoded: ", problem)
      return
    end
    -- One document that cannot be used must not keep the worker from the others.
    local ok
    ok, problem = pcall(prepare, service)
    if not ok then
      ngx.log(ngx.ERR, "service document ", name, " cannot be used: ", problem)
      return
    end
    M.by_name[name] = service
    bind(service)
  end
end

local function learn_all()
  M.by_name, by_host = {}, {}
  for _, key in ipairs(documents:get_keys(0)) do
    if sub(key, 1, 2) == "s:" then
      learn(sub(key, 3))
    end
  end
end

local function catch_up(revision)
  if revision - M.seen > LOG_LENGTH then
    M.seen = revision
    return learn_all()
  end
  for number = M.seen + 1, revision do
    local name = documents:get("l:" .. number)
    if not name then
      M.seen = revision
      return learn_all()
    end
    learn(name)
  end
  M.seen = revision
end

-- Brings this worker up to the newest revision and returns it.
function M.sync()
  local revision = documents:get("revision") or 0
  if revision ~= M.seen then
    catch_up(revision)
  end
  return revision
end

function M.changed_since(revision)
  return documents:get("revision") ~= revision
end

function M.start_worker()
  M.seen = documents:get("revision") or 0
  learn_all()
end

-- `before` is a list of {key, document or nil}, the latest change last.
local function put_back(before)
  for i = #before, 1, -1 do
    local key, document = before[i][1], before[i][2]
    if document then
      local ok, problem = documents:safe_set(key, document)
      if not ok then
        ngx.log(ngx.ERR, "service document ", key, " is lost: ", problem)
      end
    else
      documents:delete(key)
    end
  end
end

-- Stores documents ({name, document = JSON text}) and removals (names); other workers see all of it at once.
-- Where one document does not fit nothing is changed: nil and the reason.
function M.publish(changed, removed)
  local names, before = {}, {}
  for _, service in ipairs(changed) do
    local key = "s:" .. service.name
    local old = documents:get(key)
    if old ~= service.document then
      before[#before + 1] = { key, old }
      -- Even where it fails this drops what was there.
      local ok, problem = documents:safe_set(key, service.document)
      if not ok then
        put_back(before)
        return nil, "the service table is full: " .. problem
      end
      names[#names + 1] = service.name
    end
  end
  for _, name in ipairs(removed) do
    documents:delete("s:" .. name)
    names[#names + 1] = name
  end
  local revision = documents:get("revision") or 0
  for i, name in ipairs(names) do
    documents:delete("l:" .. (revision + i - LOG_LENGTH))
    -- `safe_set` never drops a service's document to store this one; a name that is missing in the log makes workers
    -- learn everything anew.
    documents:safe_set("l:" .. (revision + i), name)
  end
  documents:safe_set("revision", revision + #names)
  return true
end

function M.stored_names()
  local names = {}
  for _, key in ipairs(documents:get_keys(0)) do
    if sub(key, 1, 2) == "s:" then
      names[#names + 1] = sub(key, 3)
    end
  end
  return names
end

-- `bindings` of the exact host, else of its wildcard, else of any host (spec/proxy.md 5).
function M.bindings(host)
  local list = by_host[host]
  if list and host ~= "" then
    return list
  end
  local dot = find(host, ".", 1, true)
  if dot then
    list = by_host["*" .. sub(host, dot)]
    if list then
      return list
    end
  end
  return by_host[""]
end

-- The binding with the longest prefix that ends on a segment boundary of the decoded `path`.
function M.match(list, path)
  for i = 1, #list do
    local binding = list[i]
    local length = binding.length
    if length == 1 then
      return binding
    end
    if sub(path, 1, length) == binding.prefix then
      local following = byte(path, length + 1)
      if not following or following == 47 then
        return binding
      end
    end
  end
  return nil
end

local first, first_at

-- The first of the services that a handshake without a name can be meant for (spec/proxy.md 7.1).
local function nameless()
  if first_at == M.seen then
    return first
  end
  first, first_at = nil, M.seen
  for name, service in pairs(M.by_name) do
    local named = service.is_root and service.hosts[1] ~= ""
    if named and (service.certificate or service.automatic) and (not first or name < first.name) then
      first = service
    end
  end
  return first
end

-- The service that answers a TLS handshake for `name` (lower case, no final dot); nil means that the client sent none.
function M.for_handshake(name)
  M.sync()
  if not name then
    return nameless()
  end
  local list = M.bindings(name)
  local binding = list and M.match(list, "/")
  return binding and binding.service
end

return M
