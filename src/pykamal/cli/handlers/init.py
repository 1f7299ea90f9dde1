"""`kamal init`: the first files of a project; nothing that exists is touched (spec/cli.md 18.3)."""

from __future__ import annotations

import os
import textwrap
from contextlib import suppress
from pathlib import Path
from typing import Final

from pykamal.cli.framework_detection import Project, detected
from pykamal.cli.invocation import Invocation
from pykamal.commands import hooks
from pykamal.core.errors import KamalError

TEMPLATES: Final = Path(__file__).parent.parent / "templates"
CONFIG: Final = Path("config/deploy.yml")
SECRETS: Final = Path(".kamal/secrets")
HOOKS: Final = Path(".kamal/hooks")
BINSTUB: Final = Path("bin/kamal")

_PORT: Final = "  # The port on which the app listens inside its container (80):\n  # app_port: 3000\n"
_HEALTH: Final = "  # healthcheck:\n  #   path: /up\n  #   interval: 3\n  #   timeout: 3\n"
_WIDTH: Final = 118
_CONSOLE: Final = '"bin/console"'


def init(invocation: Invocation) -> int:
    """Raises `KamalError` where a file or folder cannot be written."""
    try:
        return _init(invocation)
    except OSError as error:
        hint = "check what is in the way there: init writes config/, .kamal/ and, with --bundle, bin/"
        raise KamalError(f"{error.filename} cannot be written: {error.strerror}", hint=hint) from error


def _init(invocation: Invocation) -> int:
    say = invocation.bus.say
    project = detected(Path())
    created = _written(CONFIG, _config(project))
    if created:
        say(f"Created configuration file in {CONFIG}")
    else:
        say(f"Config file already exists in {CONFIG} (remove first to create a new one)")
    with suppress(FileExistsError):
        SECRETS.parent.mkdir(mode=0o700)
    if _written(SECRETS, (TEMPLATES / "secrets").read_text(), mode=0o600):
        say(f"Created {SECRETS} file")
    if not HOOKS.exists():
        HOOKS.mkdir(parents=True)
        for hook in hooks.HOOKS:
            sample = HOOKS / f"{hook.name}.sample"
            sample.write_text(_sample(hook))
            sample.chmod(0o755)
        say(f"Created sample hooks in {HOOKS}")
    if invocation.options["bundle"]:
        _bundle(invocation)
    if created and project is not None:
        for line in _next_steps(project):
            say(line)
    return 0


def _config(project: Project | None) -> str:
    """The template, with what is known of the project in place of the comments about it."""
    text = (TEMPLATES / "deploy.yml").read_text()
    if project is None:
        return text
    source = "the port that the Dockerfile exposes" if project.has_dockerfile else f"what {_named(project)} listens on"
    port = (
        f"  # The port on which the app listens inside its container, here {source}:\n  app_port: {project.app_port}\n"
    )
    health = f"  healthcheck:\n    path: {project.health_path}\n    # interval: 3\n    # timeout: 3\n"
    return text.replace(_PORT, port).replace(_HEALTH, health).replace(_CONSOLE, f'"{project.console}"')


def _sample(hook: hooks.Hook) -> str:
    """A script that says when it runs and which variables it gets, and does something small."""
    variables = {**hooks.COMMON_VARIABLES, **hook.variables}
    comments = [*textwrap.wrap(hook.about, _WIDTH), "", *(f"{name:<23} {about}" for name, about in variables.items())]
    if hook.gets_secrets:
        comments.append("and every entry of the secrets files")
    lines = "".join(f"# {line}".rstrip() + "\n" for line in comments)
    return f"#!/usr/bin/env sh\n\n{lines}\n{hook.example}"


def _next_steps(project: Project) -> list[str]:
    """Return lines on the detected framework, the written files, and the steps that remain."""
    lines = [f"Found {_named(project)}: port {project.app_port}, health check at {project.health_path}"]
    if project.advice is not None:
        lines.append(project.advice)
    if not project.has_dockerfile:
        lines += ["There is no Dockerfile yet. One to start from:", "", *(f"  {line}" for line in project.dockerfile)]
    return lines


def _named(project: Project) -> str:
    match project.kind:
        case "Dockerfile":
            return "a Dockerfile"
        case "static":
            return "a static site"
        case "Express":
            return "an Express app"
        case kind:
            return f"a {kind} app"


def _bundle(invocation: Invocation) -> None:
    """Ruby Kamal into the project's Gemfile. Raises `CommandFailed`."""
    if BINSTUB.exists():
        invocation.bus.say(f"Binstub already exists in {BINSTUB} (remove first to create a new one)")
        return
    from pykamal.commands import bundler
    from pykamal.transport.local import LocalSession
    from pykamal.transport.signals import run_until_done

    async def install() -> None:
        local = LocalSession(invocation.bus)
        await local.run(bundler.add_kamal(), name="add Kamal to the Gemfile")
        await local.run(bundler.make_binstub(), name="make the binstub")

    invocation.bus.say("Adding Kamal to Gemfile and bundle...")
    run_until_done(install())
    invocation.bus.say(f"Created binstub file in {BINSTUB}")


def _written(target: Path, text: str, *, mode: int = 0o666) -> bool:
    """Write a new file and return True, or False where it exists. The umask applies to `mode`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return True
