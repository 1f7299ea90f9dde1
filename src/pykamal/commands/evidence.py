"""Commands that gather evidence about a failed step on its host. None of them fails."""

from __future__ import annotations

from collections.abc import Sequence

from pykamal.commands.command import Command, query
from pykamal.commands.flags import name_filter
from pykamal.commands.words import Output, Word, joined

HOLDER_FIELDS = ("name", "service", "role", "destination")
"""The fields of a container in the output of `port_holders`, behind the word `container`."""


def state(container: str, *, lines: int = 50) -> Command:
    """Print the state of a container as a line of JSON, then the last `lines` of its log.

    The JSON has `restarts`, and in `state` what Docker knows: `Status`, `ExitCode`, `OOMKilled`, `Error` and, with a
    health check, `Health`.
    """
    template = '{"restarts": {{.RestartCount}}, "state": {{json .State}}}'
    known = query("docker", "container", "inspect", "--format", template, container)
    log = query("docker", "logs", "--timestamps", "--tail", str(lines), container).redirected("2>&1")
    return known.and_(log).failing_allowed()


def deaths(container: str) -> Command:
    """Print how the container ended in the last minutes, oldest first: `die EXITCODE` a line.

    Before it `oom` where it ran out of memory, `kill` where somebody stopped it.

    A container that is started again and again runs at some moments, and its state then tells nothing of its ends.
    """
    it = joined("container=", Output(identifier(container)))  # others had its name before
    filters: list[Word] = ["--filter", it, "--filter", "event=die", "--filter", "event=oom", "--filter", "event=kill"]
    template = '{{.Action}} {{index .Actor.Attributes "exitCode"}}'
    period = ("--since", "10m", "--until", "0s")
    return query("docker", "events", *period, *filters, "--format", template).failing_allowed()


def listeners(container: str) -> Command:
    """Print where the container listens: address and port in hexadecimal, as in /proc/net/tcp, one a line.

    Where the engine's processes cannot be seen, nothing is printed.
    """
    process = query("docker", "container", "inspect", "--format", "{{.State.Pid}}", container)
    tables = (joined("/proc/", Output(process), f"/net/{table}") for table in ("tcp", "tcp6"))
    return query("awk", '$4 == "0A" {print $2}', *tables).redirected("2> /dev/null").failing_allowed()


def processes(container: str) -> Command:
    """Print what runs in the container and how much of a processor it has used: `HH:MM:SS COMMAND` a line."""
    top = query("docker", "container", "top", container, "-eo", "pid,time,args").redirected("2> /dev/null")
    return (top | query("awk", 'NR > 1 { $1 = ""; sub(/^ /, ""); print }')).failing_allowed()


def failed_checks(container: str, *, port: int) -> Command:
    """Print the last line of the proxy's log about a failed health check of a container."""
    target = joined(Output(identifier(container)), f":{port}")
    log = query("docker", "logs", "--since", "5m", "kamal-proxy").redirected("2>&1")
    about_target = query("grep", "-F", "Healthcheck failed") | query("grep", "-F", target)
    return (log | about_target | query("tail", "-n", "1")).failing_allowed()


def port_holders(ports: Sequence[int]) -> Command:
    """Print the holders of these ports: containers, as `container` and `HOLDER_FIELDS`, then lines of `ss`.

    Fields are separated by tabs. `ss` names the programs to root alone; the one of a container's port is Docker's.
    """
    labels = (f'{{{{.Label "{name}"}}}}' for name in HOLDER_FIELDS[1:])
    template = "\t".join(("container", "{{.Names}}", *labels))
    published = [word for port in ports for word in ("--filter", f"publish={port}")]
    containers = query("docker", "ps", *published, "--format", template)
    wanted = " or ".join(f"sport = :{port}" for port in ports)
    listening = query("ss", "-Hltnp", f"( {wanted} )").redirected("2> /dev/null")
    return containers.then(listening).failing_allowed()


def identifier(container: str) -> Command:
    """Print the identifier of a container, running or not; nothing when there is none."""
    return query("docker", "container", "ls", "--all", *name_filter(container), "--quiet")
