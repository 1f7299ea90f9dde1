"""Adapters of secret managers against the real servers and tools."""
