"""Automatic certificates: orders at an authority, storage, renewal, approval on demand (spec/proxy.md 7.3, 7.4)."""
