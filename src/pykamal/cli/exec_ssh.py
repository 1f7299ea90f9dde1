"""Running `ssh` in the operator's terminal, for interactive commands and for following logs (spec/cli.md 7.1)."""

from __future__ import annotations

import codecs
import hashlib
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn, TextIO

from pykamal.commands import ssh_client
from pykamal.commands.command import Command
from pykamal.commands.words import quoted
from pykamal.config.models import Config
from pykamal.core.errors import DependencyError
from pykamal.core.printable import PrintableStream
from pykamal.core.private_directories import make_private, user_cache
from pykamal.core.sensitive import Sensitive
from pykamal.events import Bus
from pykamal.transport.signals import STOPPING

_BLOCK_BYTES: Final = 1 << 16
_LINGER_SECONDS: Final = 1.0
"""How long to read on after the end of a program that left another behind with its output."""


def become_ssh(
    config: Config,
    host: str,
    command: Command,
    bus: Bus,
    *,
    key_data: Sequence[Sensitive] = (),
) -> NoReturn:
    """Replace this process by the `ssh` that runs a command on a host; its exit status is then the command's.

    What the command prints goes to the terminal as it is. `key_data` are the texts of private keys. Raises
    `DependencyError` without an OpenSSH client on this machine.
    """
    arguments = _arguments(config, host, command, bus, reads=True, key_data=key_data)
    sys.stdout.flush()
    try:
        os.execvp(arguments[0], arguments)  # noqa: S606 - no shell is wanted: the terminal is ssh's now
    except FileNotFoundError as error:
        raise _missing(arguments[0]) from error


def follow_by_ssh(config: Config, host: str, command: Command, bus: Bus, *, key_data: Sequence[Sensitive] = ()) -> int:
    """Show what a command on a host prints, filtered for the terminal, until it ends or is stopped; its exit status.

    It reads nothing, but Ctrl-C is for it where there is a terminal. Raises `DependencyError` as above, and
    `BrokenPipeError` when nobody reads the output any more.
    """
    arguments = _arguments(config, host, command, bus, reads=False, key_data=key_data)
    try:
        # The descriptors of keys are inherited.
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=False)
    except FileNotFoundError as error:
        raise _missing(arguments[0]) from error
    with process, _passing_on_signals(process):
        try:
            _show(process)
        except BaseException:
            process.terminate()
            raise
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _arguments(
    config: Config, host: str, command: Command, bus: Bus, *, reads: bool, key_data: Sequence[Sensitive]
) -> list[str]:
    """The argument vector; its own command line is told first."""
    arguments = ssh_client.interactive(
        replace(config.ssh, config=_config_files(config.ssh.config)),
        host,
        command,
        extension=config.extension,
        terminal=sys.stdin.isatty(),
        reads=reads,
        agent_has_keys=bool(key_data),
    )
    bus.log(f"Running {quoted([*arguments[:-1], command.display_text()])}", host=host)
    return ssh_client.with_agent(arguments, [_pipe(key) for key in key_data]) if key_data else arguments


def _missing(program: str) -> DependencyError:
    return DependencyError(
        f"{program} is not installed on this machine",
        hint="install the OpenSSH client: commands with a terminal need it",
    )


def _config_files(setting: bool | Sequence[str] | None) -> bool | tuple[str, ...] | None:
    """Return `ssh/config` as `ssh -F` needs it: one file, with `~` expanded, or False where no file is there.

    None of the files there is as good as no file, as for the connections that we make ourselves.
    """
    if setting is None or isinstance(setting, bool):
        return setting
    paths = [Path(file).expanduser().absolute() for file in setting]
    files = [path for path in paths if path.is_file()]
    if len(files) > 1:
        files = [_including(files)]
    return tuple(map(str, files)) or False


def _including(files: Sequence[Path]) -> Path:
    """Return a file that reads the others in their order, since `ssh` heeds the last `-F` alone.

    It stays, because the `ssh` that takes our place reads it; it is the same file for the same list. Raises
    `UnsafeDirectory`.
    """
    text = "".join(f'Include "{file}"\n' for file in files)
    name = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    path = make_private(user_cache("ssh")) / f"{name}.config"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    return path


def _pipe(text: Sensitive) -> int:
    """The descriptor of a pipe that holds a text, a few kilobytes at most, for the program that takes our place."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        pipe.write(text.reveal().rstrip("\n") + "\n")
    os.set_inheritable(reading, True)
    return reading


@contextmanager
def _passing_on_signals(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass signals that would stop this process on to the other one, and wait for its end."""

    def pass_on(number: int, _frame: object) -> None:
        process.send_signal(number)

    heard = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
    before = [signal.signal(number, pass_on) for number in heard]
    try:
        yield
    finally:
        for number, handler in zip(heard, before, strict=True):
            signal.signal(number, handler)


def _show(process: subprocess.Popen[bytes]) -> None:
    """Write what the process prints to our own streams until it closes its own."""
    assert process.stdout is not None
    assert process.stderr is not None
    with selectors.DefaultSelector() as selector:
        for source, target in ((process.stdout, sys.stdout), (process.stderr, sys.stderr)):
            selector.register(source, selectors.EVENT_READ, _FilteredCopy(target))
        while selector.get_map():
            ready = selector.select(_LINGER_SECONDS)
            if not ready and process.poll() is not None:
                return
            for key, _ in ready:
                data = os.read(key.fd, _BLOCK_BYTES)
                key.data.write(data)
                if not data:
                    selector.unregister(key.fd)


class _FilteredCopy:
    """Writes bytes of a program to a text stream, without what a terminal would obey."""

    def __init__(self, target: TextIO) -> None:
        self._target = target
        self._filter = PrintableStream()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # While ssh has the terminal, it does not turn a line feed into the beginning of a line.
        self._line_end = "\r\n" if sys.stdin.isatty() and target.isatty() else "\n"

    def write(self, data: bytes) -> None:
        """Write the next bytes; none at the end."""
        text = self._filter.feed(self._decoder.decode(data, not data))
        if not data:
            text += self._filter.flush()
        self._target.write(text.replace("\n", self._line_end))
        self._target.flush()
