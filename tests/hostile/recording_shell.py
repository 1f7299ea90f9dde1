"""Real shells that run lines beside programs which only note how they were called."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SHELLS: Final = ("dash", "bash")

PROGRAMS: Final = (
    *("age", "age-keygen", "apk", "apt-get", "awk", "base64", "bundle", "cat", "chmod", "chown", "cp", "curl"),
    *("date", "df", "dnf", "docker", "find", "git", "grep", "gzip", "head", "id", "ln", "ls", "mkdir", "mktemp"),
    *("mv", "pack", "rc-update", "readlink", "rm", "service", "ss", "ssh", "ssh-add", "ssh-agent", "stat", "stty"),
    *("sudo", "systemctl", "tail", "tar", "tr", "usermod", "wc", "wget"),
)
"""Everything that a line may start. `xargs`, `env` and `sh` are real: they start what they are given."""

ANSWERS: Final = defaultdict(lambda: "healthy", stat="tmpfs", mktemp="/dev/null")
"""Printed by each program, so that what reads from it goes on."""

HOME: Final = "/home/of/nobody"

Call = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The calls of each line, in order, what the shell complained about, and the files that payloads made."""

    calls: Mapping[int, list[Call]]
    canaries: frozenset[str]
    complaints: str


def run_lines(shell: str, lines: Sequence[str], directory: Path) -> Outcome:
    """Run each line in a subshell of its own. Files named `glob...` and `.kamal/` are in the working directory."""
    programs, work, calls = directory / "bin", directory / "work", directory / "calls"
    programs.mkdir(parents=True)
    calls.mkdir()
    (work / ".kamal").mkdir(parents=True)
    interpreter = shutil.which(shell)
    assert interpreter is not None
    _install(programs, interpreter)
    for name in ("glob11", "glob22"):
        (work / name).touch()
    before = _files(work)
    (directory / "script").write_text(_script(lines), encoding="utf-8")
    ended = subprocess.run(
        [interpreter, str(directory / "script")],
        cwd=work,
        env={
            "PATH": str(programs),
            "HOME": HOME,
            "CALLS": str(calls),
            "SHELL": interpreter,
            "LC_ALL": "C.UTF-8",
            "HOSTILE_PROMPT": "$(>prompt)",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=240,
        check=False,
    )
    return Outcome(_calls(calls), frozenset(_files(work) - before), ended.stderr.decode("utf-8", "replace"))


def _install(programs: Path, interpreter: str) -> None:
    (programs / "sh").symlink_to(interpreter)
    for name in ("xargs", "env"):
        real = shutil.which(name)
        assert real is not None
        (programs / name).symlink_to(real)
    for name in PROGRAMS:
        path = programs / name
        path.write_text(f'#!{interpreter}\n{_NOTE}\n_note {name} "$@"\necho {ANSWERS[name]}\n')
        path.chmod(0o755)


_NOTE: Final = r"""_note() {
  read -r process rest < /proc/self/stat
  command printf '%s\0' "$LINE_NUMBER" "$#" "$@" >> "$CALLS/$process"
}"""
"""Each process has a file of its own, since shells write an argument in pieces."""


def _script(lines: Sequence[str]) -> str:
    plain = filter(str.isalpha, PROGRAMS)
    functions = [f'{name}() {{ _note {name} "$@"; command echo {ANSWERS[name]}; }}' for name in plain]
    functions.append("sleep() { return 1; }")  # nothing is waited for
    builtins = [f'{name}() {{ _note {name} "$@"; command {name} "$@"; }}' for name in ("echo", "printf")]
    runs = [f"LINE_NUMBER={number}\n( eval {shlex.quote(line)} ) < /dev/null" for number, line in enumerate(lines)]
    return "\n".join(["export LINE_NUMBER", _NOTE, *functions, *builtins, *runs, "wait", ""])


def _calls(folder: Path) -> dict[int, list[Call]]:
    found: defaultdict[int, list[Call]] = defaultdict(list)
    for file in folder.iterdir():
        words = file.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
        while words:
            line, count = int(words[0]), int(words[1])
            found[line].append(tuple(words[2 : 2 + count]))
            del words[: 2 + count]
    return found


def _files(work: Path) -> set[str]:
    return {os.path.relpath(Path(folder) / name, work) for folder, _, names in os.walk(work) for name in names}
