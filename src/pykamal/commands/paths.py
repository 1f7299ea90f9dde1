"""Paths on hosts below the directory that is mounted into the proxy, all relative to the login directory."""

from __future__ import annotations

from typing import Final

from pykamal.config.models.service import Config

PROXY_DIRECTORY: Final = ".kamal/proxy"
APPS_DIRECTORY: Final = f"{PROXY_DIRECTORY}/apps-config"
APPS_DIRECTORY_INSIDE: Final = "/home/kamal-proxy/.apps-config"


def proxied_app_directory(config: Config) -> str:
    """What the proxy reads of one service at one destination: certificates and error pages."""
    return f"{APPS_DIRECTORY}/{config.service_with_destination}"


def inside_proxy(path: str) -> str:
    """The same place as the proxy's container sees it."""
    return path.replace(APPS_DIRECTORY, APPS_DIRECTORY_INSIDE, 1)
