"""Paths below the directory on hosts that is mounted into the proxy, relative to the login directory."""

from __future__ import annotations

from typing import Final

from pykamal.config.models.service import Config
from pykamal.proxy.contract import HOME

PROXY_DIRECTORY: Final = ".kamal/proxy"
APPS_DIRECTORY: Final = f"{PROXY_DIRECTORY}/apps-config"
APPS_DIRECTORY_INSIDE: Final = f"{HOME}/.apps-config"


def proxied_app_directory(config: Config) -> str:
    """Return the directory of a service's certificates and error pages at its destination."""
    return f"{APPS_DIRECTORY}/{config.service_with_destination}"


def inside_proxy(path: str) -> str:
    """Return the path of the same directory inside the proxy's container."""
    return path.replace(APPS_DIRECTORY, APPS_DIRECTORY_INSIDE, 1)
