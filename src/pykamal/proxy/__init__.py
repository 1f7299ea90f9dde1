"""The zero-downtime proxy: nginx with Lua carries the requests, Python decides where they go.

A program of its own (`kamal-proxy`), run from a container image that holds nothing but Debian packages; it imports
the standard library only (spec/proxy.md).
"""
