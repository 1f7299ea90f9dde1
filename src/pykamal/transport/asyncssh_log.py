"""Log records of asyncssh on the bus, from the level of `ssh.log_level` on (spec/config.md 10)."""

from __future__ import annotations

import logging
from typing import Final

from pykamal.core.catalogue.settings import INVALID_VALUE
from pykamal.core.diagnostics import Location
from pykamal.core.errors import configuration_error
from pykamal.events import Bus, Level

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}

_SHOWN_AS: Final = ((logging.ERROR, Level.ERROR), (logging.WARNING, Level.WARN), (logging.INFO, Level.INFO))


class LibraryLog(logging.Handler):
    """Passes the records on to the bus until it is closed. Raises `ConfigurationError` for an unknown level."""

    def __init__(self, log_level: str, bus: Bus) -> None:
        super().__init__()
        if log_level not in LEVELS:
            hint = f"ssh/log_level is one of {', '.join(LEVELS)}"
            raise configuration_error(
                INVALID_VALUE, f"invalid log level: {log_level}", Location(setting="ssh/log_level"), hint=hint
            )
        self._bus = bus
        self._logger = logging.getLogger("asyncssh")
        self._logger.setLevel(LEVELS[log_level])
        self._logger.propagate = False
        self._logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        level = next((shown for least, shown in _SHOWN_AS if record.levelno >= least), Level.DEBUG)
        self._bus.log(record.getMessage(), level)

    def close(self) -> None:
        self._logger.removeHandler(self)
        super().close()
