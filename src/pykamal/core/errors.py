"""Every error that pykamal raises on purpose.

    KamalError
    ├── ConfigurationError          deploy.yml, secrets, options that contradict each other
    ├── UsageError                  the command line itself (exit code 2)
    ├── DependencyError             something that must be on this machine is missing
    │   └── ToolMissing             the program of a secret manager
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
from typing import TYPE_CHECKING

from pykamal.core.source import excerpt

if TYPE_CHECKING:  # help and completion import this module and report nothing
    from pykamal.core.diagnostics import Diagnostic, Location, Rule


class KamalError(Exception):
    """Something went wrong that a person can act on.

    `message` says what failed, `host` where, `details` are lines of evidence (already redacted), and `hint` is the
    next thing to do. `diagnostics` are what led to it, where checks found it. `label` replaces that of the class, where
    scripts know the kind by another name.
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
        diagnostics: Sequence[Diagnostic] = (),
        label: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.host = host
        self.details = tuple(details)
        self.hint = hint
        self.diagnostics = tuple(diagnostics)
        self.label = label or type(self).label

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The rules of the catalogue that explain the error."""
        return tuple(dict.fromkeys(each.identifier for each in self.diagnostics)) or (self.identifier,)

    def __str__(self) -> str:
        return self.message


class ConfigurationError(KamalError):
    """The configuration cannot be used. `diagnostics` has everything that is wrong, in the order of the file."""

    identifier = "configuration-invalid"
    label = "Kamal::ConfigurationError"

    def __init__(
        self,
        message: str,
        *,
        diagnostics: Sequence[Diagnostic] = (),
        hint: str | None = None,
        label: str | None = None,
    ) -> None:
        from dataclasses import replace

        from pykamal.core.diagnostic_report import text_lines
        from pykamal.core.diagnostics import Diagnostic, Severity

        shown = [replace(each, remedy=None) if each.remedy == hint else each for each in diagnostics]
        itself = Diagnostic(identifier=self.identifier, severity=Severity.ERROR, message=message, remedy=hint)
        super().__init__(
            message, details=text_lines(shown), hint=hint, diagnostics=diagnostics or [itself], label=label
        )


def configuration_error(
    rule: Rule, message: str, location: Location | None = None, *, hint: str | None = None, label: str | None = None
) -> ConfigurationError:
    """Make the error for one diagnostic that ends loading at once, such as a file that is no YAML."""
    from dataclasses import replace

    from pykamal.core.diagnostics import NOWHERE, Severity

    diagnostic = replace(rule.diagnostic(message, location or NOWHERE, remedy=hint), severity=Severity.ERROR)
    return ConfigurationError(message, diagnostics=[diagnostic], label=label, hint=hint)


class SecretNotFound(ConfigurationError):
    identifier = "missing-secret"


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


class ToolMissing(DependencyError):
    label = "RuntimeError"  # the class that Ruby Kamal has for this one


class UnsafeDirectory(KamalError):
    identifier = "unsafe-directory"


class ConnectionFailed(KamalError):
    identifier = "connection-failed"
    label = "Errno::ECONNREFUSED"


class HostUnreachable(ConnectionFailed):
    """The label names the kind: refused, too slow, no route, an unknown name or a lost connection."""

    identifier = "host-unreachable"


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
    """Put the host before a message, in Ruby Kamal's words (spec/cli.md 6.4); with a user it is `as USER@HOST`."""
    return f"Exception while executing {f'as {host}' if '@' in (host or '') else f'on host {host}'}: {message}"


class HostErrors(KamalError):
    """The errors of several hosts of one step."""

    identifier = "hosts-failed"

    def __init__(self, errors: Sequence[KamalError]) -> None:
        first = errors[0]
        self.errors = tuple(errors)
        if len(errors) == 1:
            message = executing_on(first.host, first.message)
        else:
            lines = [executing_on(error.host, error.message) for error in errors]
            message = "\n".join([f"Exceptions on {len(errors)} hosts:", *lines])
        # Ruby Kamal shows the class of the first cause.
        super().__init__(message, host=first.host, details=first.details, hint=first.hint, label=first.label)

    @property
    def identifiers(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(identifier for error in self.errors for identifier in error.identifiers))


class Interrupted(KamalError):
    """The operator stopped the run. `signal_number` is 2 (SIGINT) or 15 (SIGTERM)."""

    identifier = "interrupted"
    label = "Interrupt"

    def __init__(self, signal_number: int) -> None:
        super().__init__("Interrupted")
        self.signal_number = signal_number
        self.exit_code = 128 + signal_number  # the shell's convention
