-- Runs in a thread of its own (kamal/passwords.lua), since a good password hash takes long on purpose.
local ffi = require("ffi")

ffi.cdef("char *crypt_r(const char *phrase, const char *setting, void *data);")

local DATA_BYTES = 32768 -- sizeof(struct crypt_data), fixed by libcrypt's binary interface
local library = ffi.load("libcrypt.so.1")
local M = {}

-- True when a password has this hash, in any of the forms of crypt(5).
function M.matches(password, hash)
  local data = ffi.new("char[?]", DATA_BYTES)
  local found = library.crypt_r(password, hash, data)
  return found ~= nil and ffi.string(found) == hash
end

return M
