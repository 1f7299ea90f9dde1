"""Flags of our own proxy that protect the app (x-pykamal/proxy); Ruby Kamal's proxy has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pykamal.commands.paths import inside_proxy, proxied_app_directory
from pykamal.commands.words import Word
from pykamal.config.models.proxy_extension import BasicAuth, RateLimit
from pykamal.config.models.service import Config


def flags(config: Config) -> list[Word]:
    """Return flags of the proxy's `deploy`, all literal. Passwords travel in `users_file` only."""
    protection = config.extension.proxy.protection
    return [
        *_each("trusted-proxy", protection.trusted_proxies),
        *_each("allow", protection.allow),
        *_each("deny", protection.deny),
        *_rate(protection.rate_limit),
        *_number("connection-limit", protection.connection_limit),
        *_number("body-limit", protection.body_limit),
        *_basic_auth(config, protection.basic_auth),
        *(f"--security-header={name}: {value}" for name, value in protection.security_headers.items()),
    ]


def users_file(config: Config) -> str:
    """Return the path on the host of the file with user names and password hashes."""
    return f"{proxied_app_directory(config)}/auth/users"


def _each(name: str, values: Sequence[str]) -> Iterator[str]:
    return (f"--{name}={value}" for value in values)


def _number(name: str, value: int | None) -> Iterator[str]:
    if value is not None:
        yield f"--{name}={value}"


def _rate(limit: RateLimit | None) -> Iterator[str]:
    if limit is not None:
        yield f"--rate-limit={limit.requests_per_second:.6f}".rstrip("0").rstrip(".")
        yield from _number("rate-limit-burst", limit.burst)


def _basic_auth(config: Config, auth: BasicAuth | None) -> Iterator[str]:
    if auth is not None:
        yield f"--basic-auth-file={inside_proxy(users_file(config))}"
        yield f"--basic-auth-realm={auth.realm}"
        yield from _each("basic-auth-except", [_list_item(path) for path in auth.exceptions])


def _list_item(text: str) -> str:
    """Quote an item of a list, which the proxy splits at commas."""
    return '"{}"'.format(text.replace('"', '""')) if "," in text or '"' in text else text
