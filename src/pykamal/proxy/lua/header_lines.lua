-- Request headers line by line: nginx's own variables know no more than the first line of a name (until 1.23).
local ffi = require("ffi")
local base = require("resty.core.base")
require("resty.core.request") -- declares what is used here

local C, ffi_string, get_request = ffi.C, ffi.string, base.get_request
local line_array = ffi.typeof("ngx_http_lua_ffi_table_elt_t[?]")
local is_truncated = ffi.new("int[1]")
local clear_header, gsub = ngx.req.clear_header, string.gsub
local ALL, LOWER_CASE = 0, 0
local LETTER_C, LETTER_T, LETTER_X, UNDERSCORE = 99, 116, 120, 95

-- Names for which an underscore may not stand in for a hyphen: nginx's variables (`$http_x_forwarded_host`) read both alike,
-- and so do many applications.
local GUARDED = {
  ["x-kamal-target"] = true, ["content-length"] = true, ["x-forwarded-for"] = true, ["x-forwarded-host"] = true,
  ["x-forwarded-proto"] = true, ["transfer-encoding"] = true,
}
local SHORTEST, LONGEST = 14, 17 -- characters of these; each begins with one of the letters above

local M = {}
local room = 32
local lines = line_array(room)

-- Puts the request's header into `lines` and returns how many there are. Unlike `ngx.req.get_headers` it makes no table.
local function read_lines()
  local request = get_request()
  local count = C.ngx_http_lua_ffi_req_get_headers_count(request, ALL, is_truncated)
  if count > room then
    room, lines = count, line_array(count)
  end
  C.ngx_http_lua_ffi_req_get_headers(request, lines, count, LOWER_CASE)
  return count
end

local function text_of(part)
  return ffi_string(part.data, part.len)
end

local function is_lookalike(key, names)
  for i = 1, key.len - 1 do
    if key.data[i] == UNDERSCORE then
      return names[gsub(text_of(key), "_", "-")]
    end
  end
  return false
end

-- Removes the lines that would have one of these names (a set, in lower case; GUARDED unless given) but for underscores.
function M.drop_lookalikes(names)
  names = names or GUARDED
  local found
  for i = 0, read_lines() - 1 do
    if is_lookalike(lines[i].key, names) then
      found = found or {}
      found[#found + 1] = text_of(lines[i].key)
    end
  end
  for _, name in ipairs(found or {}) do
    clear_header(name)
  end
end

-- The values of all lines with this name (in lower case), joined by ", ", and their number; nil and 0 when there is none.
function M.joined(name)
  local joined, found = nil, 0
  for i = 0, read_lines() - 1 do
    local line = lines[i]
    if line.key.len == #name and text_of(line.key) == name then
      local text = text_of(line.value)
      joined = joined and joined .. ", " .. text or text
      found = found + 1
    end
  end
  return joined, found
end

-- False for a Connection that asks for anything but its end or its stay, for several lines of it or of X-Kamal-Target, for
-- lookalikes, and for more than `most` bytes.
function M.are_plain(most)
  local connections, targets, bytes = 0, 0, 0
  for i = 0, read_lines() - 1 do
    local key = lines[i].key
    local length, first = key.len, key.data[0]
    bytes = bytes + length + lines[i].value.len
    if length == 10 and first == LETTER_C and text_of(key) == "connection" then
      connections = connections + 1
      local value = text_of(lines[i].value)
      if connections > 1 or value ~= "keep-alive" and value ~= "close" then
        return false
      end
    elseif length >= SHORTEST and length <= LONGEST and (first == LETTER_X or first == LETTER_C or first == LETTER_T) then
      if is_lookalike(key, GUARDED) then
        return false
      elseif length == 14 and first == LETTER_X and text_of(key) == "x-kamal-target" then
        targets = targets + 1
      end
    end
  end
  return targets < 2 and bytes <= most
end

return M
