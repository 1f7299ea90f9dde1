"""Commands for directories and files on a host. A file appears under its name only when it is complete."""

from __future__ import annotations

import base64

from pykamal.commands.command import Command, command
from pykamal.commands.words import Syntax, Word, joined
from pykamal.core.sensitive import Sensitive


def make_directory(*paths: Word, mode: str | None = None) -> Command:
    """Make directories and those above them; `mode`, octal text as `0700`, is for a new one at the end of each path."""
    return command("mkdir", "-p", *(["-m", mode] if mode else []), *paths)


def write(path: str, content: str | bytes | Sensitive, mode: str) -> Command:
    """Write `content`, byte for byte, under a name beside `path`, then rename it; `mode` is octal text as `0600`.

    Nobody but the owner can read the file before it has its mode. The parent directory must exist. NUL can be in bytes
    only, which go in base64 where they are no text.
    """
    return _replaced(path, _printed(content), mode)


def write_output(path: str, printing: Command, mode: str) -> Command:
    """The same with what a command prints."""
    return _replaced(path, printing, mode)


def remove(path: Word, *, recursive: bool = False) -> Command:
    """Remove a file or a tree; a missing one is no failure (spec/cli.md 14.6, 14.7)."""
    return command("rm", *(["-r"] if recursive else []), path).failing_allowed()


def _printed(content: str | bytes | Sensitive) -> Command:
    if not isinstance(content, bytes):
        return command("cat").fed(content)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" not in text:
        return command("cat").fed(text)
    return command("base64", "-d").fed(base64.b64encode(content).decode())


def _replaced(path: str, content: Command, mode: str) -> Command:
    temporary = joined(path, Syntax(".new-$$"))  # the shell's own process id: two roles may write at once
    steps = command("umask", "077").and_(content.to_file(temporary))
    renamed = command("chmod", mode, temporary).and_(command("mv", "-fT", temporary, path))
    undone = command("rm", "-f", temporary).then(command("false")).grouped()
    return steps.and_(renamed).or_(undone).in_subshell()
