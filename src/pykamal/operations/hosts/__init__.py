"""Facts of hosts, and what is kept on them: lock, audit log, Docker itself."""
