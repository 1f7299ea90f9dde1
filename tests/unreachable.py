"""A project of two roles and two accessories whose hosts refuse connections: for what is said without them."""

from __future__ import annotations

from typing import Final

CONFIG: Final = """\
service: app
image: me/app
servers:
  web: [127.0.0.1, 127.0.0.2]
  jobs: [127.0.0.3]
registry: {server: "localhost:5555"}
builder: {arch: amd64}
ssh: {port: 1}
accessories:
  db: {image: "mysql:8", host: 127.0.0.4}
  redis: {image: "redis:7", host: 127.0.0.4}
"""
"""Its deploy.yml, which wants nothing but the aliases of the test."""
