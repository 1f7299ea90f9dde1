"""Compares a proxy's container with the one that deploy.yml would make now.

A running container is compared with the `docker run` that `kamal proxy reboot` would send, as far as `docker inspect`
tells: so it does not matter which tool made it, or whose deploy.yml it was made from.
"""

from __future__ import annotations

from collections.abc import Iterator

from pykamal.commands import proxy_paths
from pykamal.config.models import Config
from pykamal.config.models.proxy import MINIMUM_PROXY_VERSION
from pykamal.operations.hosts.proxy_facts import ProxyFacts
from pykamal.operations.hosts.wanted_proxy import arguments_of, wanted_proxy
from pykamal.operations.proxy.boot_plan import parsed_version
from pykamal.operations.proxy.container_options import Difference, differing, setting, texts


def differences(config: Config, host: str, facts: ProxyFacts) -> tuple[Difference, ...]:
    """Every setting that a reboot would change; nothing where there is no container."""
    if facts.container is None:
        return ()
    flags, image, arguments = wanted_proxy(config, host, facts)
    mounted, wanted_mount = _mounted_directory(facts), f"{facts.directory}/{proxy_paths.APPS_DIRECTORY}"
    running_image = str(setting(facts.container, "Config", "Image") or "")
    running_arguments = arguments_of(texts(setting(facts.container, "Config", "Cmd")))
    return (
        *_unless(_as_good(running_image, image), "image", running_image, image),
        *differing(facts.container, flags),
        *_unless(running_arguments == arguments, "arguments", running_arguments, arguments),
        *_unless(mounted in ("", wanted_mount), "directory of certificates and error pages", mounted, wanted_mount),
    )


def _mounted_directory(facts: ProxyFacts) -> str:
    """Return the directory of certificates, error pages and passwords, below the login that made the proxy.

    Empty where that cannot be told.
    """
    suffix = f":{proxy_paths.APPS_DIRECTORY_INSIDE}"
    binds = texts(setting(facts.container or {}, "HostConfig", "Binds"))
    return next((bind.removesuffix(suffix) for bind in binds if bind.endswith(suffix)), "")


def _as_good(running: str, wanted: str) -> bool:
    """The same image, or a newer one than what is only the least that is needed."""
    return running == wanted or (wanted.endswith(f":{MINIMUM_PROXY_VERSION}") and newer(running, wanted))


def newer(image: str, than: str) -> bool:
    """True if an image is a later version of another one, as their tags have it."""
    name, _, tag = image.rpartition(":")
    other_name, _, other_tag = than.rpartition(":")
    version, other = parsed_version(tag), parsed_version(other_tag)
    return name == other_name and version is not None and other is not None and version > other


def _unless(same: bool, name: str, running: str, wanted: str) -> Iterator[Difference]:
    if not same:
        yield Difference(name, running, wanted)
