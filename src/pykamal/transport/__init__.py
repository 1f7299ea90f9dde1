"""The only package that starts processes and connections: SSH sessions and local processes. Knows nothing of Kamal."""
