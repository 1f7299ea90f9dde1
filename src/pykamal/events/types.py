"""The events; times are wall-clock seconds since the epoch. The bus hides secrets and control characters in them.

The JSON form of an event (`--output json`) is its fields plus `event`, the class name in kebab case, and `version`;
`EVENT_FORMAT` grows by one when a field changes its meaning or goes away, not when one is added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Final

EVENT_FORMAT: Final = 1


class Level(IntEnum):
    """The severity of a log line. The numbers order the levels and are no contract."""

    DEBUG = 10
    INFO = 20
    WARN = 30
    ERROR = 40


class Tone(Enum):
    """The kind of a progress message, which a terminal shows as a colour."""

    PROGRESS = "progress"
    WARNING = "warning"
    PROBLEM = "problem"


class Stream(Enum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A command of the command line begins. `operation` is its name (`deploy`, `app boot`).

    `service_version` is the service with the abbreviated version, `performer` who deploys, as hooks are told them.
    """

    operation: str
    service: str | None = None
    destination: str | None = None
    version: str | None = None
    service_version: str | None = None
    performer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """A command has succeeded. `announced` where its duration is shown (deploy, rollback)."""

    operation: str
    seconds: float
    announced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """A command has failed. `identifier` is the stable name of the error, `details` its evidence, `hint` what to do.

    `kamal explain` knows the `identifiers` of what led to it.
    """

    operation: str
    identifier: str
    label: str
    message: str
    host: str | None = None
    details: tuple[str, ...] = ()
    hint: str | None = None
    identifiers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(Event):
    """A phase of a plan begins on `hosts` (empty: on this machine)."""

    phase: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished(Event):
    """A phase has ended on all hosts, with success or without."""

    phase: str
    seconds: float
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    """A connection to a host is established."""

    host: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandStarted(Event):
    """`id` is 8 hex digits, unique in the run; `host` is None on this machine; `exchange` numbers the round trip
    on the host that carries the command, so that the commands of one script share it. `shown` commands are for the
    user to follow as they run, whatever the verbosity. `effect` is `read` or `change`, as in plans."""

    id: str
    command: str
    host: str | None
    user: str | None = None
    quiet: bool = False
    step: str | None = None
    exchange: int = 0
    shown: bool = False
    effect: str = "change"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOutput(Event):
    """A piece of a command's output, in the order of arrival."""

    id: str
    host: str | None
    stream: Stream
    text: str
    shown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFinished(Event):
    """A command has ended. `failed` where its exit status is not among the accepted ones."""

    id: str
    host: str | None
    exit_status: int
    seconds: float
    quiet: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """A progress message to people: `Ensure kamal-proxy is running...`."""

    text: str
    tone: Tone = Tone.PROGRESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Event):
    """A line of narration below the progress messages."""

    level: Level
    text: str
    host: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult(Event):
    """Requested output of one host. `kind` is its heading: `App`, `Proxy`, `Accessory db`; None for no heading
    and no empty line behind. A long result comes in parts: the first one `begins` it, the last one `ends` it.

    Secrets in a `verbatim` text stay: it is what a command or a log of the user's own application printed. `raw` text
    goes out byte for byte; bytes that are not UTF-8 are in it as lone surrogates (`surrogateescape`).
    """

    host: str
    text: str
    kind: str | None = "App"
    verbatim: bool = False
    raw: bool = False
    begins: bool = True
    ends: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Event):
    """Requested output that belongs to no single host: a plan, a secret. `verbatim` and `raw` as in
    `HostResult`."""

    text: str
    verbatim: bool = False
    raw: bool = False
