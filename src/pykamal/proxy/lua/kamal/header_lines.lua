-- Request headers line by line: nginx's own variables know no more than the first line of a name (until 1.23).
local ffi = require("ffi")
local base = require("resty.core.base")
require("resty.core.request") -- declares what is used here

local C, ffi_string, get_request = ffi.C, ffi.string, base.get_request
local line_array = ffi.typeof("ngx_http_lua_ffi_table_elt_t[?]")
local is_truncated = ffi.new("int[1]")
local clear_header, gsub = ngx.req.clear_header, string.gsub
local ALL, LOWER_CASE, AS_SENT = 0, 0, 1
local LETTER_C, LETTER_T, LETTER_X, UNDERSCORE = 99, 116, 120, 95

-- Names for which an underscore may not stand in for a hyphen: nginx's variables (`$http_x_forwarded_host`) read both alike,
-- and so do many applications.
local GUARDED = {
  ["x-kamal-target"] = true, ["content-length"] = true, ["x-forwarded-for"] = true, ["x-forwarded-host"] = true,
  ["x-forwarded-proto"] = true, ["transfer-encoding"] = true,
}
local SHORTEST, LONGEST = 14, 17 -- characters of these; each begins with one of the letters above

-- Fields of a connection, which has none in HTTP/2: there a request with one of them is malformed (RFC 9113, 8.2.2).
-- `te` may say that the client reads trailers.
local CONNECTION_FIELDS = {
  connection = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["transfer-encoding"] = true, upgrade = true,
  te = true,
}
local CONNECTION_FIELD_LENGTHS = { [2] = true, [7] = true, [10] = true, [16] = true, [17] = true }

-- In HTTP/2 one byte may stand for a field of 4 KB that came before; nginx makes a copy of it each time, in each of a
-- connection's streams. Headers up to SMALL bytes need no look at this; those beyond LARGE may be so much larger than what
-- came for them. Cookies are the fields that nginx itself does not count.
local SMALL, LARGE, MOST_EXPANSION, MOST_COOKIES = 2 ^ 12, 2 ^ 16, 8, 1000

local M = {}
local capacity = 32
local lines = line_array(capacity)

-- Puts the request's header into `lines` and returns how many there are. Unlike `ngx.req.get_headers` it makes no table.
-- Names are in lower case unless `form` is AS_SENT.
local function read_lines(form)
  local request = get_request()
  local count = C.ngx_http_lua_ffi_req_get_headers_count(request, ALL, is_truncated)
  if count > capacity then
    capacity, lines = count, line_array(count)
  end
  C.ngx_http_lua_ffi_req_get_headers(request, lines, count, form or LOWER_CASE)
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

local function is_connection_field(key)
  return CONNECTION_FIELD_LENGTHS[key.len] and CONNECTION_FIELDS[text_of(key)]
end

-- nginx takes a line without a colon for a name with an empty value, which it places where the name ends.
local function has_colons()
  for i = 0, read_lines(AS_SENT) - 1 do
    local line = lines[i]
    if line.value.len == 0 and line.value.data == line.key.data + line.key.len then
      return false
    end
  end
  return true
end

local function has_too_many_cookies(line)
  if line.key.len ~= 6 or line.value.len < MOST_COOKIES or text_of(line.key) ~= "cookie" then
    return false
  end
  local _, count = gsub(text_of(line.value), ";", "")
  return count > MOST_COOKIES
end

local function refusal_of_http2(received, most)
  local bytes = 0
  for i = 0, read_lines() - 1 do
    local line = lines[i]
    bytes = bytes + line.key.len + line.value.len
    if is_connection_field(line.key) and not (line.key.len == 2 and text_of(line.value) == "trailers") then
      return 400
    elseif has_too_many_cookies(line) then
      return 431
    end
  end
  if bytes > most or bytes > LARGE and bytes > received * MOST_EXPANSION then
    return 431
  end
end

-- The status with which a header is refused that is malformed or too large in a way that nginx lets pass, nil for others.
-- `received` is the number of bytes that came for it, `most` how many it may have.
function M.refusal(received, most, is_http2)
  if is_http2 then
    return refusal_of_http2(received, most)
  elseif received > most then
    return 431
  end
  return not has_colons() and 400 or nil
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
-- lookalikes, for more than `most` bytes, and for what `refusal` must look at.
function M.are_plain(most, is_http2)
  most = is_http2 and SMALL or most
  local connections, targets, bytes = 0, 0, 0
  for i = 0, read_lines() - 1 do
    local key, value_length = lines[i].key, lines[i].value.len
    local length, first = key.len, key.data[0]
    bytes = bytes + length + value_length
    if value_length == 0 or is_http2 and is_connection_field(key) then
      return false
    elseif length == 10 and first == LETTER_C and text_of(key) == "connection" then
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
