"""Databases, caches and other services beside the application (spec/cli.md 14.8)."""
