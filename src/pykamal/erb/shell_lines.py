"""Shell lines of templates: why the program of one was never started.

Ruby starts the program of a plain line by itself and raises an error where there is none; a line with a character that
means something to a shell is a shell's, whose exit status says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pykamal.erb.errors import RubyError
from pykamal.erb.values import shell_escaped

if TYPE_CHECKING:
    from pykamal.erb.builtins import Builtins

_FOR_A_SHELL: Final = re.compile(r"[*?{}\[\]<>()~&|\\$;'`\"\n#]|\A\s*[^\s=]*=")
_IS_THERE: Final = """\
command -v "$program" > /dev/null && case $program in */*) test -f "$program" && test -x "$program" ;; esac"""

_REASONS: Final = {126: ("Permission denied", "Errno::EACCES"), 127: ("No such file or directory", "Errno::ENOENT")}
"""The message and Ruby's class of it, by the exit status with which a shell says that a program cannot be run."""


def not_started(builtins: Builtins, line: str) -> RubyError | None:
    """The error of Ruby for a plain line that has just ended without its program; None for every other line."""
    reason = _REASONS.get(builtins.status.code) if builtins.status is not None else None
    words = line.split()
    if reason is None or not words or _FOR_A_SHELL.search(line):
        return None
    question = f"program={shell_escaped(words[0])}; {_IS_THERE}"
    if builtins.system.run_with_status(question, builtins.environment)[1] == 0:
        return None  # it ended with this status itself
    message, label = reason
    return RubyError(
        f"{message} - {words[0]}",
        label,
        hint=f"Install {words[0]}, or have it on the PATH of this machine: the template runs `{line.strip()}`.",
    )
