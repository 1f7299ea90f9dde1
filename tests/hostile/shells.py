"""Real shells in a terminal, with the completion of kamal: keys are pressed, and the line is read back."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

KAMAL = Path(sys.executable).with_name("kamal")

TAB, SHOW = "\t", "\x07"

SETUP = {
    "bash": (
        "PS1=; PS2=; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source kamal.bash\n"
        """bind -x '"\\C-g": echo "[[$READLINE_LINE]]"; READLINE_LINE='\n"""
    ),
    "zsh": (
        "PS1=; unsetopt beep zle_bracketed_paste auto_menu; autoload -U compinit; compinit -u -D; source kamal.zsh\n"
        """show() { zle -I; print -r -- "[[$BUFFER]]"; BUFFER= }; zle -N show; bindkey -e; bindkey '^G' show\n"""
    ),
}
ARGUMENTS = {"bash": ["bash", "--norc", "--noprofile", "-i"], "zsh": ["zsh", "-f", "-i"]}


def environment(home: Path) -> dict[str, str]:
    """Of a shell that finds this kamal. Answers may take long: the deadline has a test of its own."""
    path = f"{KAMAL.parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "TERM": "dumb", "KAMAL_COMPLETION_SECONDS": "20"}


def write_scripts(folder: Path) -> None:
    """The completion scripts of all shells, as `kamal.SHELL`."""
    for shell in ("bash", "zsh", "fish"):
        script = subprocess.run([KAMAL, "completion", shell], capture_output=True, text=True, check=True).stdout
        (folder / f"kamal.{shell}").write_text(script)


class Terminal:
    """A shell in a terminal. `line` types something, presses TAB, and gives the line that the shell then has; `seen` is
    what it wrote meanwhile."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.seen = ""
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(shell, ARGUMENTS[shell], environment(folder))
        self._type(SETUP[shell] + "echo re''ady\n")
        self._until("ready")

    def line(self, typed: str) -> str:
        self._type(typed + TAB + SHOW)
        self.seen = self._until("]]")
        return self.seen.rpartition("[[")[2].partition("]]")[0]

    def close(self) -> None:
        os.close(self._fd)
        os.waitpid(self._pid, 0)

    def _type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def _until(self, ending: str, seconds: float = 20) -> str:
        seen = ""
        deadline = time.monotonic() + seconds
        while ending not in seen:
            ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {ending!r} in {seen!r}"
            seen += os.read(self._fd, 4096).decode()
        return seen
