"""Secrets files: their grammar, the store that reads them once and late, and the adapters of password managers."""
