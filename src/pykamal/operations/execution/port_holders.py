"""A port of the host that a container could not get: who has it, and what to set."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from pykamal.commands.evidence import HOLDER_FIELDS
from pykamal.commands.subject import Kind, Subject


@dataclass(frozen=True, slots=True)
class Holder:
    """A container with its labels, or a program with its process."""

    name: str
    service: str = ""
    role: str = ""
    destination: str = ""
    process: int | None = None

    @property
    def title(self) -> str:
        if self.process is not None:
            return f"{self.name} (process {self.process})"
        of = " ".join(filter(None, (self.service, self.role, self.destination)))
        return f"container {self.name}{f' of {of}' if of else ''}"


def holders(text: str) -> list[Holder]:
    """Parse the output of `pykamal.commands.evidence.port_holders`: containers if there are any, else programs."""
    lines = [line.split("\t") for line in text.splitlines()]
    containers = [
        Holder(name, service, role, destination)
        for name, service, role, destination in (
            fields for word, *fields in lines if word == "container" and len(fields) == len(HOLDER_FIELDS)
        )
    ]
    programs = (Holder(found["program"], process=int(found["pid"])) for found in _PROGRAM.finditer(text))
    return containers or list(dict.fromkeys(programs))


_PROGRAM: Final = re.compile(r'users:\(\("(?P<program>[^"]+)",pid=(?P<pid>[0-9]{1,9})')


def hint(port: int, subject: Subject, found: list[Holder]) -> str:
    """Advice that names the program which has the port."""
    setting = _SETTINGS[subject.kind].format(setting=subject.setting)
    if not found:
        return (
            f"something on the host has port {port}, and it does not tell who: see `docker ps --filter "
            f"publish={port}` and, as root, `ss -ltnp` there; or choose another port in {setting}"
        )
    holder = found[0]
    if subject.kind is Kind.ROLE and (holder.service, holder.role) == (subject.service, subject.name):
        return (
            f"the app's own container {holder.name} has port {port}: old and new run at the same time until the new "
            f"one is healthy, so they cannot publish the same port. Take it out of {setting}; through the proxy the "
            "app is reached without. To keep it, run `kamal app stop` before each deploy, which is an outage"
        )
    if subject.kind is Kind.ACCESSORY and holder.service == subject.service:
        return f"the old {holder.title} has port {port}: kamal accessory reboot replaces it"
    return f"{holder.title} has port {port}: stop it, or choose another port in {setting}"


_SETTINGS: Final = {
    Kind.ROLE: "{setting}/options/publish",
    Kind.ACCESSORY: "{setting}/port",
    Kind.PROXY: "{setting}/http_port and https_port",
}
