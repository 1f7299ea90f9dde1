"""Connects the events of a run to the renderer that the command line asks for."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from pykamal.cli.invocation import Invocation
from pykamal.events import Bus
from pykamal.transport.signals import surviving


def connected(invocation: Invocation) -> Invocation:
    """Return the invocation with a bus that has the renderer of the command line."""
    return replace(invocation, bus=_bus(invocation))


def _bus(invocation: Invocation) -> Bus:
    if invocation.json:
        from pykamal.events.json_lines import JsonLines

        return Bus(surviving(JsonLines(sys.stdout)))
    from pykamal.events.lines import Lines, wants_colour

    lines = Lines(sys.stdout, verbosity=invocation.verbosity, coloured=wants_colour(sys.stdout, os.environ))
    bus = Bus()
    bus.subscribe(surviving(lines), ignores=lines.ignores)
    return bus
