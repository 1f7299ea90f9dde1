"""The proxy on the hosts, as its operator sees it (spec/cli.md 14.7)."""
