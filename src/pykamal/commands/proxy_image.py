"""Commands for the proxy's image: selecting, checking, building and loading it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from pykamal.commands.command import Command, command, query
from pykamal.commands.proxy_paths import PROXY_DIRECTORY
from pykamal.commands.words import SplitOutput, Syntax, Word, joined
from pykamal.config.models.proxy import DEFAULT_PROXY_REPOSITORY, MINIMUM_PROXY_VERSION, ProxyRun
from pykamal.config.models.proxy_extension import ProxyEngine
from pykamal.config.models.service import Config
from pykamal.proxy.contract import OWN_REPOSITORY, REVISION_LABEL

NO_REVISION: Final = "missing"
"""The output of `revision` where there is no such image."""

IMAGE_MISSING_STATUS: Final = 72
"""Exit status of `ensure` where our image is not on the host (EX_OSFILE of sysexits.h)."""


def is_ours(config: Config) -> bool:
    """Return True where deploy.yml selects our proxy."""
    return config.extension.proxy.engine is ProxyEngine.PYKAMAL


def ours(config: Config, host: str) -> str:
    """Return the reference of our image.

    `proxy/run` may name registry, repository and version. The version is the upstream's whose contract ours fulfils,
    since that is what Ruby Kamal compares with the least that it can drive.
    """
    settings = config.proxy_run_on(host) or ProxyRun()
    named = settings.repository != DEFAULT_PROXY_REPOSITORY
    return (settings if named else replace(settings, repository=OWN_REPOSITORY)).image


def reference(config: Config, host: str) -> Word:
    """Return the image of a host's proxy; the files of `proxy boot_config` name it where deploy.yml does not."""
    if is_ours(config):
        return ours(config, host)
    settings = config.proxy_run_on(host)
    if settings is not None:
        return settings.image
    return LEGACY_REFERENCE


def file_or(name: str, default: str) -> SplitOutput:
    """Print the contents of a file of `proxy boot_config`, or the default."""
    saved = query("cat", f"{PROXY_DIRECTORY}/{name}").redirected("2> /dev/null")
    fallback = query("echo", Syntax(f'"{default}"'))
    return SplitOutput(saved.or_(fallback))


LEGACY_REFERENCE: Final = joined(
    file_or("image", DEFAULT_PROXY_REPOSITORY), ":", file_or("image_version", MINIMUM_PROXY_VERSION)
)


def ensure(config: Config, host: str) -> Command:
    """Pull or check the image before anything is stopped.

    Ours is never asked for at a public registry, where its name may be anybody's.
    """
    image = reference(config, host)
    present = query("docker", "image", "inspect", image).redirected("> /dev/null 2>&1")
    if not is_ours(config) or has_registry(ours(config, host)):
        return present.or_(command("docker", "pull", image))
    message = f"The image {ours(config, host)} is not on this host"
    missing = query("echo", message).redirected(">&2").then(query("exit", str(IMAGE_MISSING_STATUS)))
    return present.or_(missing.grouped())


def has_registry(image: str) -> bool:
    """Return True where a reference names its registry: the first part has a dot or a port, or is localhost."""
    first, slash, _ = image.partition("/")
    return bool(slash) and ("." in first or ":" in first or first == "localhost")


# -- bringing ours


def describe(directory: str, images: Iterable[str]) -> Command:
    """Print path, revision and architecture of the image that `build` makes, as JSON; see `pykamal.proxy.image`."""
    return query(*_builder(images), "--describe", directory)


def build(directory: str, images: Iterable[str]) -> Command:
    """Make the image on this machine, named `images`, as a file in `directory`; nothing where it is there."""
    return command(*_builder(images), directory)


def revision(image: str) -> Command:
    """Print the revision of our image as it is on the host, and the host's architecture in Docker's terms."""
    labels = query("docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{REVISION_LABEL}"}}}}', image)
    architecture = query("docker", "version", "--format", "{{.Server.Arch}}")
    return labels.redirected("2> /dev/null").or_(query("echo", NO_REVISION)).grouped().and_(architecture)


def compress(path: str) -> Command:
    """Write `PATH.gz` beside the file, only complete, and the same bytes for the same image."""
    unfinished = joined(path, Syntax(".new-$$"))
    packed = command("gzip", "--stdout", "--no-name", path).to_file(unfinished)
    return packed.and_(command("mv", "-f", unfinished, f"{path}.gz"))


def load(path: str | None = None) -> Command:
    """Load images into the engine from a file or from standard input, compressed or not."""
    return command("docker", "load", "--quiet", *(["--input", path] if path else []))


def push(image: str) -> Command:
    return command("docker", "push", "--quiet", image)


def pull(image: str) -> Command:
    return command("docker", "pull", "--quiet", image)


def _builder(images: Iterable[str]) -> list[str]:
    names = [word for image in images for word in ("--tag", image)]
    # -P, or modules of the project in the working directory would be imported.
    return [sys.executable, "-P", "-m", "pykamal.proxy.image", *names]
