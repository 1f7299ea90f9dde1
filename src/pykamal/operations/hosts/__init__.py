"""What is read from the hosts and kept on them: facts, lock, audit log, Docker itself."""
