"""argv -> configuration -> operation -> exit code. No logic that a library user would miss."""
