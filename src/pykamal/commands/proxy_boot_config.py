"""Commands for the proxy's settings in files on a host, which deploy.yml overrides (spec/cli.md 14.7, deprecated)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pykamal.commands import host_files, run_directory
from pykamal.commands.command import Command
from pykamal.commands.proxy import publish_flags
from pykamal.commands.proxy_paths import PROXY_DIRECTORY
from pykamal.commands.words import render
from pykamal.config.models.proxy import ProxyRun

NAMES: Final = ("options", "image", "image_version", "run_command")


def store(settings: ProxyRun, docker_options: Sequence[str] = ()) -> list[Command]:
    """Write the files of settings that differ from the defaults and remove the others.

    `docker_options` are flags of `docker run` without their leading dashes; `settings.options` is not used.
    """
    texts, defaults = _texts(settings, docker_options), _texts(ProxyRun(), ())
    steps = [
        host_files.remove(_path(name)) if text == defaults[name] else host_files.write(_path(name), text, "0640")
        for name, text in texts.items()
    ]
    return [run_directory.make(PROXY_DIRECTORY), *steps]


def reset() -> list[Command]:
    """Remove the files, which restores the defaults."""
    return [host_files.remove(_path(name)) for name in NAMES]


def _texts(settings: ProxyRun, docker_options: Sequence[str]) -> Mapping[str, str]:
    metrics = settings.metrics_port
    options = [render(word, shown=False) for word in publish_flags(settings)]
    options += [f"--log-opt max-size={settings.log_max_size}"] if settings.log_max_size else []
    options += [f"--expose={metrics}"] if metrics is not None else []
    options += [f"--{option}" for option in docker_options]
    flags = ["--debug"] if settings.debug else []
    flags += [f'--metrics-port "{metrics}"'] if metrics is not None else []
    image, _, version = settings.image.rpartition(":")
    run_command = " ".join(["kamal-proxy run", *flags]) if flags else ""
    return dict(zip(NAMES, (" ".join(options), image, version, run_command), strict=True))


def _path(name: str) -> str:
    return f"{PROXY_DIRECTORY}/{name}"
