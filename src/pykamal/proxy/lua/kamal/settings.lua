-- The settings that nginx was started with, the same for every service and for as long as it runs; set by kamal.lifecycle.
return {
  internal = "", -- prefix of the locations that only this proxy may reach; cannot be guessed
  metrics = false, -- true where metrics are collected
  builtin_pages = {}, -- error pages by status, as text
}
