"""Secrets: from the managers to the hosts."""
