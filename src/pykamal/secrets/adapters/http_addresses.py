"""Addresses of secret managers, and of the proxies that the environment names. No error has anything of a password."""

from __future__ import annotations

import contextlib
import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from pykamal.core.errors import KamalError
from pykamal.secrets.credentials import hidden

PLAIN_HTTP: Final = "KAMAL_SECRETS_PLAIN_HTTP"
"""The variable that names the hosts to which credentials may be sent without encryption."""


def server_address(address: str, manager: str, environment: Mapping[str, str]) -> SplitResult:
    """Return the parts of a manager's address. Raises `KamalError` for what is none, and for one with a login in it.

    Credentials and secrets go over plain http only within this machine, and to the hosts that `PLAIN_HTTP` names.
    """
    url = _split(address)
    if url is None or url.scheme not in {"http", "https"}:
        raise KamalError(f"{manager}: the address is no http or https URL", hint="write it as https://HOST:PORT")
    if "@" in url.netloc:  # an address is shown in errors, and in the audit logs of hosts
        raise KamalError(
            f"{manager}: the address has a user name or a password in it, which no login uses",
            hint="write it as https://HOST:PORT",
        )
    host = url.hostname or ""
    if url.scheme == "http" and not _is_here(host) and host not in _listed(environment.get(PLAIN_HTTP, "")):
        raise KamalError(
            f"{manager}: {host} would get credentials and send secrets over plain http, which everybody between reads",
            hint=f"write the address as https://{url.netloc}; where the network is trusted, set {PLAIN_HTTP}={host}",
        )
    return url


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _ip_address(host)
    return address is not None and address.is_loopback


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _listed(text: str) -> list[str]:
    return [each for entry in text.split(",") if (each := entry.strip().lower())]


def proxy_for(url: SplitResult, environment: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy that the environment names for a server, as curl reads it; None for a direct connection."""
    names = (f"{url.scheme}_proxy", "all_proxy")
    # HTTP_PROXY is what a header `Proxy:` becomes in a CGI program, so only its small letters count.
    spelled = [name for each in names for name in (each, *([] if each == "http_proxy" else [each.upper()]))]
    value = next((environment[name] for name in spelled if environment.get(name)), None)
    if value is None or _excluded(url, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    proxy = _split(value if "://" in value else f"http://{value}")
    if proxy is None:
        raise KamalError(
            f"the proxy for {url.scheme} in the environment is no URL",
            hint="write it as http://USER:PASSWORD@HOST:PORT, with `#`, `/`, `?` and `@` of the password as %23, %2F, "
            "%3F and %40",
        )
    if proxy.scheme != "http":
        raise KamalError(
            f"the proxy for {url.scheme} in the environment is of a kind that is not supported: {proxy.scheme}",
            hint="use an http:// proxy (HTTPS goes through it in a tunnel), or name the server in NO_PROXY",
        )
    return proxy if proxy.port else urlsplit(f"http://{proxy.netloc}:8080")


def _excluded(url: SplitResult, no_proxy: str) -> bool:
    host = url.hostname or ""
    address = _ip_address(host)
    for entry in _listed(no_proxy):
        if address is not None and _contains(entry, address):
            return True
        name, _, port = entry.partition(":")
        suffix = name.removeprefix("*").removeprefix(".")
        if (host == suffix or host.endswith(f".{suffix}") or not suffix) and port in {"", str(url.port or "")}:
            return True
    return False


def _contains(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell that an entry of `no_proxy` is the address, or a network that has it, as in 10.0.0.0/8."""
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def login_headers(proxy: SplitResult) -> dict[str, str]:
    """Return the header with the login that the address of a proxy has."""
    if proxy.username is None:
        return {}
    name, password = unquote(proxy.username), hidden(unquote(proxy.password or "")).reveal()
    login = hidden(b64encode(f"{name}:{password}".encode(errors="surrogateescape")).decode())
    return {"Proxy-Authorization": f"Basic {login.reveal()}"}


def _split(address: str) -> SplitResult | None:
    """Return the parts of a URL; None for what is none. The library's error quotes it, so it is no cause of ours."""
    with contextlib.suppress(ValueError):
        url = urlsplit(address)
        cut_off = "@" in f"{url.path}{url.query}{url.fragment}"  # a password with a slash or a `#`
        if url.hostname and url.port != 0 and not cut_off:
            return url
    return None
