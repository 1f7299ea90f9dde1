-- The settings that nginx was started with, the same for every service and for as long as it runs. `kamal.lifecycle` sets them.
return {
  internal = "", -- prefix of the locations that only this proxy may reach; cannot be guessed
  body_rungs = {}, -- static limits on a request body that have a location of their own, ascending, in bytes
  metrics = false, -- true where metrics are collected
  builtin_pages = {}, -- error pages by status, as text
}
