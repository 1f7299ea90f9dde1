"""Waiting on the host itself until a container without proxy is healthy (spec/cli.md 13.5.1)."""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, Effect, Simple
from pykamal.commands.words import Raw, render
from pykamal.config.models import Role

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


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.strip("\n").splitlines())
