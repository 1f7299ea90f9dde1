"""Flags of kamal-proxy, made of the values of its settings (`pykamal.proxy.contract`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pykamal.commands.proxy_paths import inside_proxy, proxied_app_directory
from pykamal.commands.words import Word, options
from pykamal.config.models.service import Config
from pykamal.proxy.contract import LISTS, PROTECTIONS, PROXY_LIMITS, Setting


def flags(settings: Iterable[Setting], values: Mapping[str, object], *, separator: str = "=") -> list[Word]:
    """A flag for each value that is not None, in their order. Values are by name, durations in seconds."""
    known = {setting.name: setting for setting in settings}
    given = {known[name].flag: _text(known[name], value) for name, value in values.items() if value is not None}
    return options(given, separator=separator)


def limits(config: Config) -> list[Word]:
    """Flags of `run` that pykamal's proxy alone knows (x-pykamal/proxy/run)."""
    given = config.extension.proxy.settings
    names = (setting.name for setting in PROXY_LIMITS)
    return flags(PROXY_LIMITS, {name: given[name] for name in names if name in given}, separator=" ")


def protections(config: Config) -> list[Word]:
    """Flags of `deploy` that pykamal's proxy alone knows, literal to the last character (x-pykamal/proxy).

    Passwords travel in `users_file` only.
    """
    given = dict(config.extension.proxy.settings)
    if config.extension.proxy.users:
        given["basic_auth_file"] = inside_proxy(users_file(config))
    return [
        f"--{setting.flag}={_text(setting, item)}"
        for setting in PROTECTIONS
        if setting.name in given
        for item in _items(setting, given[setting.name])
    ]


def users_file(config: Config) -> str:
    """The path of the file of user names with password hashes, on the host."""
    return f"{proxied_app_directory(config)}/auth/users"


def _items(setting: Setting, value: object) -> Iterator[object]:
    if setting.kind not in LISTS or not isinstance(value, Sequence):
        yield value
    else:
        yield from map(_list_item, value) if setting.kind == "paths" else value


def _list_item(text: str) -> str:
    """The proxy splits lists at commas, unless an item is quoted."""
    return '"{}"'.format(text.replace('"', '""')) if "," in text or '"' in text else text


def _text(setting: Setting, value: object) -> object:
    if setting.kind == "duration":
        return f"{value}s"
    return f"{value:.6f}".rstrip("0").rstrip(".") if setting.kind == "number" else value
