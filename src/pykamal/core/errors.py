"""Every error that pykamal raises on purpose.

    KamalError
    ├── ConfigurationError          deploy.yml, secrets, options that contradict each other
    ├── UsageError                  the command line itself (exit code 2)
    ├── DependencyError             something that must be on this machine is missing
    ├── UnsafeDirectory             another user of this machine could change what is in it
    ├── ConnectionFailed            a host could not be reached or trusted
    │   ├── HostUnreachable
    │   ├── AuthenticationRefused
    │   ├── HostKeyChanged
    │   └── HostKeyUnknown
    ├── UnexpectedAnswer            a host or a program said what cannot be understood
    ├── CommandFailed               a command ended with a non-zero exit status
    ├── HookFailed
    ├── LockError                   somebody else holds the deploy lock
    ├── BuildError
    ├── BootError                   a container did not come up
    ├── HealthError                 it came up and never got healthy
    ├── SandboxError
    ├── HostErrors                  several of the above, one a host
    └── Interrupted                 Ctrl-C or SIGTERM (exit code 130 or 143)

`identifier` is stable and is what machines read; `label` is the class name that Ruby Kamal prints, because scripts
search for `ERROR (LABEL)` (spec/cli.md 4.5).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pykamal.core.excerpt import excerpt
from pykamal.core.source import Position


class KamalError(Exception):
    """Something went wrong that a person can act on.

    `message` says what failed, `host` where, `details` are lines of evidence (already redacted), and `hint` is the
    next thing to do.
    """

    identifier: str = "error"
    label: str = "RuntimeError"
    exit_code: int = 1

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        details: Sequence[str] = (),
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.host = host
        self.details = tuple(details)
        self.hint = hint

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with the configuration.

    `path` is the key path in the specification's form (`servers/web/hosts/0`), empty at the root; `message` is the
    literal text that scripts may match on, path included (spec/config.md 2.2). `note` explains it further.
    """

    message: str
    path: str = ""
    position: Position | None = None
    expected: str | None = None
    found: str | None = None
    suggestion: str | None = None
    note: str | None = None
    quoted_line: str | None = None


class ConfigurationError(KamalError):
    """The configuration cannot be used; carries every problem found, in the order of the file."""

    identifier = "configuration-invalid"
    label = "Kamal::ConfigurationError"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        details: Sequence[str] = (),
        hint: str | None = None,
        label: str | None = None,
    ) -> None:
        super().__init__(message, details=details, hint=hint)
        self.problems = tuple(problems)
        if label is not None:
            self.label = label  # one family, but scripts know some members by another name


class SecretNotFound(ConfigurationError):
    identifier = "secret-not-found"


class UsageError(KamalError):
    identifier = "usage"
    label = "ArgumentError"
    exit_code = 2


class SelectionError(KamalError):
    """`--hosts` or `--roles` selects nothing."""

    identifier = "nothing-selected"
    label = "ArgumentError"


class DependencyError(KamalError):
    identifier = "dependency-missing"
    label = "Kamal::Cli::DependencyError"


class UnsafeDirectory(KamalError):
    identifier = "unsafe-directory"


class ConnectionFailed(KamalError):
    identifier = "connection-failed"
    label = "Errno::ECONNREFUSED"


class HostUnreachable(ConnectionFailed):
    """`label` names the kind: refused unless told otherwise, too slow, no route, an unknown name, a lost connection."""

    identifier = "host-unreachable"

    def __init__(
        self,
        message: str,
        *,
        host: str | None = None,
        details: Sequence[str] = (),
        hint: str | None = None,
        label: str = "Errno::ECONNREFUSED",
    ) -> None:
        super().__init__(message, host=host, details=details, hint=hint)
        self.label = label


class AuthenticationRefused(ConnectionFailed):
    identifier = "authentication-refused"
    label = "Net::SSH::AuthenticationFailed"


class HostKeyChanged(ConnectionFailed):
    identifier = "host-key-changed"
    label = "Net::SSH::HostKeyMismatch"


class HostKeyUnknown(ConnectionFailed):
    identifier = "host-key-unknown"
    label = "Net::SSH::HostKeyUnknown"


class UnexpectedAnswer(KamalError):
    """A host, or a program, said something else than it was asked for. `details` hold what it said."""

    identifier = "unexpected-answer"


class CommandFailed(KamalError):
    """A command ended with a non-zero exit status. `command` is its redacted text, `step` what it was to do.

    `program` names it in messages: its first word unless told otherwise, `sh` for a line that begins with no program.
    """

    identifier = "command-failed"
    label = "SSHKit::Command::Failed"

    def __init__(
        self,
        command: str,
        *,
        exit_status: int,
        stdout: str = "",
        stderr: str = "",
        host: str | None = None,
        hint: str | None = None,
        step: str = "",
        program: str | None = None,
    ) -> None:
        word = command.split(" ", 1)[0] if program is None else program
        program = word if re.fullmatch(r"[\w./~+-]+", word) else "sh"
        super().__init__(
            f"{step}: {program} exit status: {exit_status}" if step else f"{program} exit status: {exit_status}",
            host=host,
            details=(
                f"command: {command}",
                f"{program} stdout: {excerpt(stdout.strip()) or 'Nothing written'}",
                f"{program} stderr: {excerpt(stderr.strip()) or 'Nothing written'}",
            ),
            hint=hint,
        )
        self.command = command
        self.program = program
        self.exit_status = exit_status
        self.stdout = stdout
        self.stderr = stderr


class HookFailed(KamalError):
    identifier = "hook-failed"
    label = "Kamal::Cli::HookError"


class LockError(KamalError):
    identifier = "deploy-locked"
    label = "Kamal::Cli::LockError"


class BuildError(KamalError):
    identifier = "build-failed"
    label = "Kamal::Cli::Build::BuildError"


class BootError(KamalError):
    identifier = "boot-failed"
    label = "Kamal::Cli::BootError"


class HealthError(KamalError):
    identifier = "never-healthy"
    label = "Kamal::Cli::Healthcheck::Error"


class SandboxError(KamalError):
    identifier = "sandbox"


def executing_on(host: str | None, message: str) -> str:
    """Where a message is from, in Ruby Kamal's words (spec/cli.md 6.4); a host with a user is `as USER@HOST`."""
    return f"Exception while executing {f'as {host}' if '@' in (host or '') else f'on host {host}'}: {message}"


class HostErrors(KamalError):
    """The errors of several hosts of one step."""

    identifier = "hosts-failed"

    def __init__(self, errors: Sequence[KamalError]) -> None:
        first = errors[0]
        self.errors = tuple(errors)
        self.label = first.label  # Ruby Kamal shows the class of the first cause
        if len(errors) == 1:
            message = executing_on(first.host, first.message)
        else:
            lines = [executing_on(error.host, error.message) for error in errors]
            message = "\n".join([f"Exceptions on {len(errors)} hosts:", *lines])
        super().__init__(message, host=first.host, details=first.details, hint=first.hint)


class Interrupted(KamalError):
    """The operator stopped the run. `signal_number` is 2 (SIGINT) or 15 (SIGTERM)."""

    identifier = "interrupted"
    label = "Interrupt"

    def __init__(self, signal_number: int) -> None:
        super().__init__("Interrupted")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number  # the shell's convention
