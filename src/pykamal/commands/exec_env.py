"""Variables of `app exec --env`, whose values are in nobody's process list.

Other users of a machine see the arguments of every process. So Docker reads the values as an env file: from standard
input, or, where that is the operator's terminal, from a file that is gone before Docker starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pykamal.commands import host_files
from pykamal.commands.command import Command, command
from pykamal.commands.flags import Interactive
from pykamal.commands.processes import by_login_shell
from pykamal.commands.words import Expanded, SingleQuoted, Syntax, Word, joined, key_values
from pykamal.core.sensitive import Sensitive

_DESCRIPTOR: Final = 3
"""The lowest that is free in every shell."""


def flags(env: Mapping[str, str], interactive: Interactive | None) -> list[Word]:
    """Return the flags that name the source of the values. A variable without one is an argument, as in Ruby Kamal."""
    source = f"/dev/fd/{_DESCRIPTOR}" if interactive else "/dev/stdin"
    without = {name: value for name, value in env.items() if not value.strip()}
    return [*(["--env-file", source] if has_values(env) else []), *key_values("--env", without)]


def has_values(env: Mapping[str, str]) -> bool:
    return any(value.strip() for value in env.values())


def from_stdin(env: Mapping[str, str], line: Command) -> Command:
    """A line for the login's own shell, whose Docker reads the values from standard input."""
    run = by_login_shell(line)
    return replace(_printed(env) | run, summary=run.summary) if has_values(env) else run


def write(path: str, env: Mapping[str, str]) -> Command:
    """Write the file for `from_file`. Nobody but the login can read it."""
    return host_files.write_output(path, _printed(env), "0600")


def remove_later(path: str, *, seconds: int) -> Command:
    """Remove the file after a time, whatever becomes of what was to read it. Does not wait for that."""
    stays = command("trap", "", "HUP", "TERM")  # which end the script that this is a part of
    removal = stays.then(command("sleep", str(seconds))).then(command("rm", "-f", path)).in_subshell()
    return removal.redirected("> /dev/null", "2>&1", "&")


def from_file(path: str, line: Command) -> Command:
    """A line for the login's own shell, whose Docker reads the values from a file without a name by then."""
    opened = command("exec", Syntax(f"{_DESCRIPTOR}<"), path).and_(command("rm", "-f", path))
    run = opened.and_(command("exec", "env", "SHLVL=1", Syntax('"${SHELL:-sh}"'), "-c", Syntax('"$0"')))
    return replace(
        command("sh", "-c", SingleQuoted(run), SingleQuoted(line)), summary=line.display_text(), user_line=True
    )


def _printed(env: Mapping[str, str]) -> Command:
    """A shell prints by itself, so its arguments are in no process list. The host completes `${NAME}` in values."""
    lines = (joined(f"{name}=", Expanded(Sensitive(value))) for name, value in env.items() if value.strip())
    return command("printf", "%s\\n", *lines)
