-- Ends connections to targets from outside their requests. nginx offers no way to cancel another request, but all
-- upstream sockets of a worker are its own descriptors, and one that is shut down ends its request at once.
local ffi = require("ffi")
local cjson = require("cjson.safe")
local in_flight = require("kamal.in_flight")
local requests = require("kamal.requests")

ffi.cdef([[
  typedef struct { unsigned short family; unsigned char port[2]; unsigned char address[124]; } kamal_address;
  int getpeername(int descriptor, kamal_address *address, unsigned int *length);
  int dup(int descriptor);
  int close(int descriptor);
  int shutdown(int descriptor, int how);
  int inet_pton(int family, const char *text, void *address);
  struct kamal_dirent { unsigned long inode; long offset; unsigned short length; unsigned char kind; char name[256]; };
  void *opendir(const char *path);
  struct kamal_dirent *readdir(void *directory);
  int closedir(void *directory);
]])

local AF_INET, AF_INET6 = 2, 10
local SHUT_RDWR = 2
local PERIOD_S = 0.05

local counters = ngx.shared.counters
local C = ffi.C
local M = {}

local function binary_address(text)
  local raw = ffi.new("unsigned char[16]")
  if C.inet_pton(AF_INET, text, raw) == 1 then
    return ffi.string(raw, 4), AF_INET
  end
  C.inet_pton(AF_INET6, (text:gsub("[%[%]]", "")), raw)
  return ffi.string(raw, 16), AF_INET6
end

local function descriptors()
  local found = {}
  local directory = C.opendir("/proc/self/fd")
  if directory == nil then
    return found
  end
  local entry = C.readdir(directory)
  while entry ~= nil do
    found[#found + 1] = tonumber(ffi.string(entry.name))
    entry = C.readdir(directory)
  end
  C.closedir(directory)
  return found
end

local address, length = ffi.new("kamal_address"), ffi.new("unsigned int[1]")

-- "<binary address>:<port>"
local function place_of(target)
  return binary_address(target.address) .. ":" .. target.port
end

-- The place of the other end, nil for what is no TCP connection.
local function peer_of(descriptor)
  length[0] = ffi.sizeof(address)
  if C.getpeername(descriptor, address, length) ~= 0 then
    return nil
  end
  local port = address.port[0] * 256 + address.port[1]
  if address.family == AF_INET then
    return ffi.string(address.address, 4) .. ":" .. port
  end
  if address.family == AF_INET6 then
    return ffi.string(address.address + 4, 16) .. ":" .. port
  end
  return nil
end

-- Ends the connection of a request whose descriptor is known; false when there is none (yet).
function M.close(record)
  return peer_of(record.descriptor) == place_of(record.target) and C.shutdown(record.descriptor, SHUT_RDWR) == 0
end

local function close_upgraded(found)
  for _, record in ipairs(found) do
    if record.upgraded and M.close(record) then
      requests.leave_upgraded(record)
    end
  end
end

-- Closes all connections to these addresses, since it is not known which one an ordinary request has. A cancelled request is
-- not in flight any more, even while its client still sends a body.
local function cancel(found, targets)
  close_upgraded(found)
  for _, record in ipairs(found) do
    record.cancelled = true
    requests.leave_target(record)
  end
  local wanted = {}
  for _, target in ipairs(targets) do
    wanted[place_of(target)] = true
  end
  for _, descriptor in ipairs(descriptors()) do
    local peer = peer_of(descriptor)
    if peer and wanted[peer] then
      C.shutdown(descriptor, SHUT_RDWR)
    end
  end
end

local function cut(order)
  local ids = {}
  for _, id in ipairs(order.ids) do
    ids[id] = true
  end
  local found = requests.of_targets(ids)
  if order.targets then
    cancel(found, order.targets)
  else
    close_upgraded(found)
  end
end

-- One list for each worker, which it empties; named like its other counters, it goes when the worker is killed.
local function orders_of(worker)
  return worker .. ":cuts"
end

local function look(premature)
  if premature then
    return
  end
  local own = orders_of(ngx.worker.id())
  local order = counters:lpop(own)
  while order do
    cut(cjson.decode(order))
    order = counters:lpop(own)
  end
end

-- The descriptor of the socket that nginx opens next: the kernel gives the lowest that is free.
function M.next_descriptor()
  local descriptor = C.dup(0)
  C.close(descriptor)
  return descriptor
end

-- Every worker carries the order out within PERIOD_S. What it cancels is sent to no target from now on.
function M.order(request)
  if request.targets then
    for _, id in ipairs(request.ids) do
      in_flight.cut(id)
    end
  end
  local order = cjson.encode(request)
  for worker = 0, ngx.worker.count() - 1 do
    assert(counters:rpush(orders_of(worker), order))
  end
end

function M.start_worker()
  assert(ngx.timer.every(PERIOD_S, look))
end

return M
