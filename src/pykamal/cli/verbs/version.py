"""`kamal version`, where options keep the fast answer of `pykamal.cli.entry` from being given."""

from __future__ import annotations

from pykamal import KAMAL_VERSION, __version__
from pykamal.cli.invocation import Invocation
from pykamal.events import Result


def run(invocation: Invocation) -> int:
    invocation.bus.emit(Result(text=f"{KAMAL_VERSION} (pykamal {__version__})"))
    return 0
