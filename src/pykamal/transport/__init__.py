"""The only door to the outside: SSH sessions and local processes. Knows nothing of Kamal."""
