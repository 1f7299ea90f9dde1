"""The only door to the outside: SSH sessions and local processes. Runs commands, emits events, knows nothing of Kamal."""
