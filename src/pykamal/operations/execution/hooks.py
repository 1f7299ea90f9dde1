"""Runs the team's own scripts at fixed moments (spec/cli.md 9)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pykamal.commands import hooks as commands
from pykamal.commands.hooks import Hook
from pykamal.commands.script import Step, script
from pykamal.core.errors import CommandFailed, HookFailed
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context
from pykamal.operations.execution.plan import LOCAL, Phase, Plan, Task
from pykamal.operations.local.local_context import short_version

_NOT_STARTED: Final = (126, 127)


def phase(context: Context, hook: Hook, values: Mapping[str, str] | None = None) -> Phase | None:
    """The phase that runs a hook, or None when there is no such file or hooks are skipped.

    `values` are those of the hook's own variables.
    """
    name = hook.name
    path = Path(context.config.hooks_path) / name
    if context.settings.skip_hooks or not path.is_file():
        return None
    output = _output(context, name)
    command = commands.run(str(path))
    task = Task(
        host=LOCAL,
        title=f"hook {name}",
        script=script(Step(f"hook {name}", command.quietly() if output == "quiet" else command)),
        hook=name,
        environment=environment(context, hook, values or {}),
        shown=output == "verbose",
    )
    return Phase(name=f"{name} hook", tasks=(task,))


def _output(context: Context, name: str) -> str | None:
    """`verbose` or `quiet` as `hooks_output` says for this hook; `-v` and `-q` decide where they are given (9.4)."""
    if context.settings.verbosity != "normal":
        return None
    configured = context.config.hooks_output
    return configured.get(name) if isinstance(configured, Mapping) else configured


async def fire(context: Context, hook: Hook, values: Mapping[str, str] | None = None) -> bool:
    """Run a hook now. False where there is none."""
    found = phase(context, hook, values)
    if found is None:
        return False
    await context.execute(Plan(hook.name, (found,)))
    return True


def environment(context: Context, hook: Hook, values: Mapping[str, str]) -> dict[str, str | Sensitive]:
    """The variables of spec/cli.md 9.3; secrets only for the hooks that get them. The executor adds the time."""
    assert values.keys() == hook.variables.keys(), f"{hook.name} gets the variables of its row, and no others"
    config = context.config
    command, _, subcommand = context.operation.partition(" ")
    version = context.version
    given: dict[str, str | Sensitive | None] = {
        "KAMAL_PERFORMER": context.local_context.performer,
        "KAMAL_DESTINATION": config.destination,
        "KAMAL_VERSION": version,
        "KAMAL_SERVICE_VERSION": f"{config.service}@{short_version(version)}",
        "KAMAL_SERVICE": config.service,
        "KAMAL_HOSTS": ",".join(context.selection.hosts),
        "KAMAL_ROLES": ",".join(context.selection.filtered_roles) or None,
        "KAMAL_LOCK": "true" if context.lock_held else "false",
        "KAMAL_COMMAND": command,
        "KAMAL_SUBCOMMAND": subcommand or None,
        **values,
    }
    secrets = context.secrets.all() if hook.gets_secrets else {}
    return {**secrets, **{key: value for key, value in given.items() if value is not None}}


def held_by_parent() -> bool:
    """True if a kamal that runs this one as a hook holds the deploy lock."""
    return os.environ.get("KAMAL_LOCK") == "true"


def hook_failure(name: str, path: str, error: CommandFailed) -> HookFailed:
    """`path` is the hook's file; `error` tells how it ended."""
    return HookFailed(
        f"Hook `{name}` failed:\n{error.program} exit status: {error.exit_status}",
        details=error.details,
        hint=_reason_not_started(path, error.exit_status) or f"fix {path}, or skip hooks with --skip-hooks",
    )


def _reason_not_started(path: str, exit_status: int) -> str | None:
    """Return the reason why the file cannot be run, as far as a look at it tells."""
    if exit_status not in _NOT_STARTED:
        return None
    if not os.access(path, os.X_OK):
        return f"make it executable: chmod +x {path}"
    try:
        with Path(path).open("rb") as file:
            first = file.readline().decode(errors="replace")
    except OSError:
        return None
    if not first.startswith("#!"):
        return None
    if first.endswith("\r\n"):
        return f"its lines end as on Windows, which is part of the program's name here: sed -i 's/\\r$//' {path}"
    words = [word for word in first[2:].split() if not word.startswith("-")]
    programs = words[:2] if words and words[0].endswith("/env") else words[:1]
    missing = next((program for program in programs if shutil.which(program) is None), None)
    return f"its first line names a program that is not on this machine: {missing}" if missing else None
