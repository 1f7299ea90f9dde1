"""Deploys web applications to any servers with Docker and SSH, without dropping a request."""

__version__ = "0.1.0"

KAMAL_VERSION = "2.12.0"
"""The Kamal release whose behaviour this one follows; what `minimum_version` in deploy.yml is compared with."""
