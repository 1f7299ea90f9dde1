"""Compares a proxy's container with the one that deploy.yml would make now.

A running container is compared with the `docker run` that `kamal proxy reboot` would send, as far as `docker inspect`
tells: so it does not matter which tool made it, or whose deploy.yml it was made from.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from pykamal.commands import paths, proxy
from pykamal.config.models import Config
from pykamal.config.models.proxy import MINIMUM_PROXY_VERSION
from pykamal.operations.hosts.proxy_facts import ProxyFacts
from pykamal.operations.proxy.boot_plan import parsed_version
from pykamal.operations.proxy.container_options import Difference, Flags, differing, setting, texts

_SWITCHES: Final = frozenset({"detach", "init", "no-healthcheck", "oom-kill-disable", "privileged", "read-only"})
"""Options of `docker run` that take no value."""


def differences(config: Config, host: str, known: ProxyFacts) -> tuple[Difference, ...]:
    """Every setting that a reboot would change; nothing where there is no container."""
    if known.container is None:
        return ()
    flags, image, arguments = _wanted(config, host, known)
    mounted, wanted_mount = _mounted_directory(known), f"{known.directory}/{paths.APPS_DIRECTORY}"
    running_image = str(setting(known.container, "Config", "Image") or "")
    running_arguments = _arguments(texts(setting(known.container, "Config", "Cmd")))
    return (
        *_unless(_as_good(running_image, image), "image", running_image, image),
        *differing(known.container, flags),
        *_unless(running_arguments == arguments, "arguments", running_arguments, arguments),
        *_unless(mounted in ("", wanted_mount), "directory of certificates and error pages", mounted, wanted_mount),
    )


def _wanted(config: Config, host: str, known: ProxyFacts) -> tuple[Flags, str, str]:
    """The flags, the image and the proxy's own arguments of a new container."""
    if config.proxy_run_on(host) is None:
        words = shlex.split(known.stored_settings)
    else:
        words = shlex.split(str(proxy.run(config, host)))[len(("docker", "run")) :]
    flags: dict[str, tuple[str, ...]] = {}
    while words and words[0].startswith("--"):
        name, equals, value = words.pop(0).removeprefix("--").partition("=")
        if not equals:
            value = "true" if name in _SWITCHES or not words else words.pop(0)
        flags[name] = (*flags.get(name, ()), value)
    image, *command = words or [""]
    return flags, image, _arguments(command)


def _arguments(command: Sequence[str]) -> str:
    """Of the proxy itself: `kamal-proxy run` is what every container begins with, said or not."""
    return " ".join(command[2:] if list(command[:2]) == ["kamal-proxy", "run"] else command)


def _mounted_directory(known: ProxyFacts) -> str:
    """Where the proxy looks for certificates, error pages and passwords: below the login that made it.

    Empty where that cannot be told.
    """
    suffix = f":{paths.APPS_DIRECTORY_INSIDE}"
    binds = texts(setting(known.container or {}, "HostConfig", "Binds"))
    return next((bind.removesuffix(suffix) for bind in binds if bind.endswith(suffix)), "")


def _as_good(running: str, wanted: str) -> bool:
    """The same image, or a newer one than what is only the least that is needed."""
    return running == wanted or (wanted.endswith(f":{MINIMUM_PROXY_VERSION}") and newer(running, wanted))


def newer(image: str, than: str) -> bool:
    """Whether an image is a later version of another one, as their tags have it."""
    name, _, tag = image.rpartition(":")
    other_name, _, other_tag = than.rpartition(":")
    version, other = parsed_version(tag), parsed_version(other_tag)
    return name == other_name and version is not None and other is not None and version > other


def _unless(same: bool, name: str, running: str, wanted: str) -> Iterator[Difference]:
    if not same:
        yield Difference(name, running, wanted)
