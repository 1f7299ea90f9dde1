"""Secrets files: their parser, the store that reads them on first use, and adapters for secret managers."""
