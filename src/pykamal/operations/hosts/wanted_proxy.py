"""Reads the settings of a new proxy container out of the `docker run` that would make it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from pykamal.commands import proxy
from pykamal.config.models import Config
from pykamal.operations.hosts.proxy_facts import ProxyFacts

Flags = Mapping[str, tuple[str, ...]]
"""Options by name, without dashes, each with all its values in order."""

_SWITCHES: Final = frozenset({"detach", "init", "no-healthcheck", "oom-kill-disable", "privileged", "read-only"})
"""Options of `docker run` that take no value."""


def wanted_proxy(config: Config, host: str, facts: ProxyFacts) -> tuple[Flags, str, str]:
    """The flags, the image and the proxy's own arguments of a new container."""
    if config.proxy_run_on(host) is None:
        words = shlex.split(facts.stored_settings)
    else:
        words = shlex.split(proxy.run(config, host).shell_text())[len(("docker", "run")) :]
    flags: dict[str, tuple[str, ...]] = {}
    while words and words[0].startswith("--"):
        name, equals, value = words.pop(0).removeprefix("--").partition("=")
        if not equals:
            value = "true" if name in _SWITCHES or not words else words.pop(0)
        flags[name] = (*flags.get(name, ()), value)
    image, *command = words or [""]
    return flags, image, arguments_of(command)


def arguments_of(command: Sequence[str]) -> str:
    """Of the proxy itself: `kamal-proxy run` is what every container begins with, said or not."""
    return " ".join(command[2:] if list(command[:2]) == ["kamal-proxy", "run"] else command)
