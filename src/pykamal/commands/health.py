"""Waiting on the host itself until a container without proxy is healthy (spec/cli.md 13.5.1)."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, Effect, Simple, query
from pykamal.commands.words import Output, Raw, joined, render
from pykamal.config.models import Role

LISTENING_SECONDS: Final = 2
"""How long the first health check may be put off for a port that is not open yet."""

STATUS_FORMAT: Final = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"


def wait(role: Role, version: str, *, deploy_timeout: int, readiness_delay: int) -> Command:
    """Poll every second for at most `deploy_timeout` seconds; fails with the last status on standard error.

    `healthy` is success at once; `running` (no health check) is success when it is still so `readiness_delay` seconds
    later. A container that exited is not waited for any longer: it cannot become healthy.
    """
    name = render(role.container_name(version), shown=False)
    text = f"""
    read_status() {{ docker container inspect --format '{STATUS_FORMAT}' {name}; }}
    waited=0
    while :; do
      status=$(read_status) || exit 1
      case $status in
        healthy) echo 'Container is healthy!'; exit 0 ;;
        running)
          echo 'Container is running, waiting for readiness delay of {readiness_delay} seconds'
          sleep {readiness_delay}
          status=$(read_status) || exit 1
          case $status in running|healthy) echo 'Container is healthy!'; exit 0 ;; esac ;;
        exited|dead) break ;;
      esac
      [ "$waited" -lt {deploy_timeout} ] || break
      waited=$((waited + 1))
      sleep 1
    done
    echo "container not ready after $waited seconds ($status)" >&2
    exit 1"""
    summary = f"# wait until {role.container_name(version)} is healthy, at most {deploy_timeout} seconds"
    return Command(Simple((Raw(_dedented(text)),)), Effect.READ, summary=summary)


def listening(role: Role, version: str, *, port: int) -> Command:
    """Wait until the container listens on `port`, at most `LISTENING_SECONDS`; never fails.

    The proxy checks at once and then once an interval, a second by default: a first check that comes too early by a
    tenth of a second costs the whole interval, on the slowest of all hosts. Where the engine's processes cannot be
    seen, there is nothing to wait for.
    """
    name = render(role.container_name(version), shown=False)
    listens = f":{port:04X} [0-9A-F:]* 0A "
    text = f"""
    process=$(docker container inspect --format '{{{{.State.Pid}}}}' {name}) || exit 0
    tries=0
    while [ "$tries" -lt {LISTENING_SECONDS * 20} ] && [ -r "/proc/$process/net/tcp" ]; do
      cat "/proc/$process/net/tcp" "/proc/$process/net/tcp6" 2> /dev/null | grep -q '{listens}' && break
      tries=$((tries + 1))
      sleep 0.05
    done
    exit 0"""
    summary = f"# wait until {role.container_name(version)} listens on port {port}, at most {LISTENING_SECONDS} seconds"
    return Command(Simple((Raw(_dedented(text)),)), Effect.READ, quiet=True, summary=summary)


def listeners(role: Role, version: str) -> Command:
    """Print where the container listens: address and port in hexadecimal, as in /proc/net/tcp, one a line.

    Never fails; where the engine's processes cannot be seen, nothing is printed.
    """
    process = query("docker", "container", "inspect", "--format", "{{.State.Pid}}", role.container_name(version))
    tables = (joined(Raw("/proc/"), Output(process), f"/net/{table}") for table in ("tcp", "tcp6"))
    return query("awk", '$4 == "0A" {print $2}', *tables).redirected("2> /dev/null").failing_allowed()


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.strip("\n").splitlines())
