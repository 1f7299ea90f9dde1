"""Events of a run as values, and the bus that delivers them to subscribers: terminal, JSON, log files, collectors."""

from pykamal.events.bus import Bus
from pykamal.events.types import (
    CommandFinished,
    CommandOutput,
    CommandStarted,
    Connected,
    Event,
    HostResult,
    Level,
    Log,
    Message,
    PhaseFinished,
    PhaseStarted,
    Result,
    RunFailed,
    RunFinished,
    RunStarted,
    Stream,
    Tone,
)

__all__ = [
    "Bus",
    "CommandFinished",
    "CommandOutput",
    "CommandStarted",
    "Connected",
    "Event",
    "HostResult",
    "Level",
    "Log",
    "Message",
    "PhaseFinished",
    "PhaseStarted",
    "Result",
    "RunFailed",
    "RunFinished",
    "RunStarted",
    "Stream",
    "Tone",
]
