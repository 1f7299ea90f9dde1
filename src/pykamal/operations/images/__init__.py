"""Images: built here, kept in a registry, pulled on the hosts (spec/cli.md 14.9 and 15)."""
