"""The application's containers (spec/cli.md 13.5 and 14.2 to 14.6)."""
