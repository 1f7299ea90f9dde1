"""What happened, as values; whoever wants to see it subscribes to the bus."""

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
