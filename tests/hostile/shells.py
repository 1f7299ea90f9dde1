"""Real shells in a terminal, with the completion of kamal: keys are pressed, and the line is read back."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

KAMAL: Final = Path(sys.executable).with_name("kamal")

SHELLS: Final = ("bash", "zsh", "fish")
TAB, SHOW = "\t", "\x07"

_ARGUMENTS: Final = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
_SETUP: Final = {
    "bash": (
        "PS1=; PS2=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'\n"
        """bind -x '"\\C-g": echo "[[$READLINE_LINE]]"; READLINE_LINE='\n"""
    ),
    "zsh": (
        "PS1=; PS2=; unsetopt beep zle_bracketed_paste auto_menu; autoload -U compinit; compinit -u -D\n"
        """show() { zle -I; print -r -- "[[$BUFFER]]"; BUFFER= }; zle -N show; bindkey -e; bindkey '^G' show\n"""
    ),
    "fish": (
        "function fish_prompt; end; set --global fish_autosuggestion_enabled 0\n"
        """bind \\cg 'echo "[["(commandline)"]]"; commandline ""'\n"""
    ),
}
SOURCE: Final = {
    "bash": "source <(kamal completion bash)",
    "zsh": "source <(kamal completion zsh)",
    "fish": "kamal completion fish | source",
}
"""The line of a start-up file that the documentation gives."""


def environment(home: Path, *, path: str = "") -> dict[str, str]:
    """Of a shell that finds this kamal. Answers may take long: the deadline has a test of its own."""
    found = f"{KAMAL.parent}:{os.environ['PATH']}"
    return {
        "PATH": f"{path}:{found}" if path else found,
        "HOME": str(home),
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "KAMAL_COMPLETION_SECONDS": "20",
    }


def fish_candidates(typed: str, folder: Path) -> list[list[str]]:
    """The candidates that fish has for a line, and what it says about each."""
    line = "'" + typed.replace("'", "\\'") + "'"
    done = subprocess.run(
        ["fish", "--no-config", "--command", f"{SOURCE['fish']}; complete --do-complete {line}"],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [candidate.split("\t") for candidate in done.stdout.splitlines()]


class Terminal:
    """A shell in a terminal. `seen` is what it wrote since the last keys."""

    def __init__(
        self, shell: str, folder: Path, *, source: str | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.seen = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(shell, _ARGUMENTS[shell], environ or environment(folder))
        self._type(_SETUP[shell] + (SOURCE[shell] if source is None else source) + "\n")
        self.settle()

    def line(self, typed: str) -> str:
        """Type something and press TAB; the line that the shell then has, which it forgets."""
        self._type(typed + TAB + SHOW)
        self.seen = self._until("]]")
        return self.seen.rpartition("[[")[2].partition("]]")[0]

    def enter(self, typed: str) -> None:
        """Type a line, TABs included, press Enter, and wait for the end of what runs."""
        self._type(f"{typed}\n")
        self.settle()

    def settle(self) -> None:
        """Wait until the shell has done all that was typed."""
        self._type("echo re''ady\n")
        self.seen = self._until("\nready")

    def close(self) -> None:
        os.close(self._fd)
        os.waitpid(self._pid, 0)

    def _type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def _until(self, ending: str, seconds: float = 30) -> str:
        seen = ""
        deadline = time.monotonic() + seconds
        while ending not in seen:
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {ending!r} in {seen!r}"
            seen += os.read(self._fd, 4096).decode(errors="replace")
        return seen
