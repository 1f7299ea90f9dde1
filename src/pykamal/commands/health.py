"""Commands that wait on the host until a container works, and give up once it cannot.

A look at a container's state cannot tell whether it works: one that ends and is started again runs most of the time.
So its restarts count, and its start time: the same process has to be there at the end of the wait (spec/cli.md 13.5.1).
"""

from __future__ import annotations

from typing import Final

from pykamal.commands.command import Command, Effect, Simple
from pykamal.commands.words import Syntax, render
from pykamal.core.sensitive import Sensitive

LISTENING_SECONDS: Final = 2
"""The longest that the first health check waits for a port to open."""

MOST_RESTARTS: Final = 3
"""The restarts after which the wait for a new container ends with a failure."""

NOT_READY_STATUS: Final = 70
"""Exit status of `watched` where the container ended for good or keeps restarting (EX_SOFTWARE of sysexits.h)."""

STEADY_SECONDS: Final = 3
"""The seconds for which a container without a readiness of its own, such as an accessory's, must stay up."""

_FORMAT: Final = (
    "{{.State.Status}} {{.RestartCount}} {{.State.StartedAt}} {{.State.ExitCode}} {{.State.Pid}} "
    "{{if .State.Health}}{{.State.Health.Status}}{{end}}"
)


def wait(container: str, *, deploy_timeout: int, readiness_delay: int, new: bool = True) -> Command:
    """Wait until a container without proxy is ready; fails with its last status on standard error.

    `healthy` is success at once. Without a health check the container must run for `readiness_delay` seconds without
    a restart; so must one that is healthy after a restart. Anything else is waited for, at most `deploy_timeout`
    seconds; a container that has ended for good, or was restarted three times, is not. Of one that is not `new`, the
    restarts of before do not count.
    """
    text = _waiting(container, steady_seconds=readiness_delay, deploy_timeout=deploy_timeout, new=new)
    return _looking(text, f"# wait until {container} is healthy, at most {deploy_timeout} seconds")


def wait_steady(container: str, *, deploy_timeout: int, new: bool = True) -> Command:
    """Wait until a container has run for `STEADY_SECONDS` without a restart, whatever its health check says.

    One that has done its work and ended with exit code 0 is fine.
    """
    unchecked = """health=
      [ "$status $exit_code" != "exited 0" ] || { echo 'Container has finished'; exit 0; }"""
    steady = STEADY_SECONDS
    text = _waiting(
        container, steady_seconds=steady, deploy_timeout=deploy_timeout, new=new, before=unchecked, at_once="never"
    )
    return _looking(text, f"# wait until {container} has run for {steady} seconds")


def still_up(container: str, *, deploy_timeout: int, readiness_delay: int) -> Command:
    """Check that a container that was ready still runs; after a restart it is waited for like a new one."""
    text = _waiting(
        container,
        steady_seconds=readiness_delay,
        deploy_timeout=deploy_timeout,
        new=True,
        before="health=",
        at_once="running 0",
    )
    return _looking(text, f"# see that {container} is still up", quiet=True)


def _waiting(
    container: str,
    *,
    steady_seconds: int,
    deploy_timeout: int,
    new: bool,
    before: str = ":",
    at_once: str = "healthy 0",
) -> str:
    """`before` is done after each look at the container, before it is judged.

    `at_once` is the state and the number of restarts that need no steady seconds.
    """
    return f"""
    {_look(container, new=new)}
    give_up() {{ echo "container not ready after $seconds seconds ($1)" >&2; exit 1; }}
    seconds=0 watched= up=0
    while look; do
      {before}
      [ "$restarts" -lt {MOST_RESTARTS} ] || give_up "restarted $restarts times"
      case ${{health:-$status}} in
        exited|dead|removing) give_up "$status" ;;
        running|healthy)
          needed={steady_seconds}
          [ "${{health:-$status}} $restarts" != "{at_once}" ] || needed=0
          if [ "$started" != "$watched" ]; then
            watched=$started up=0
            [ "$needed" -eq 0 ] || echo "Container is running, waiting for readiness delay of $needed seconds"
          fi
          [ "$up" -lt "$needed" ] || {{ echo 'Container is healthy!'; exit 0; }}
          up=$((up + 1)) ;;
        *)
          watched=
          [ "$seconds" -lt {deploy_timeout} ] || give_up "${{health:-$status}}" ;;
      esac
      seconds=$((seconds + 1))
      sleep 1
    done
    exit 1"""


def listening(container: str, *, port: int) -> Command:
    """Wait until the container listens on `port`, at most `LISTENING_SECONDS`; never fails.

    The proxy checks at once and then once an interval, a second by default: a first check that comes too early by a
    tenth of a second costs the whole interval, on the slowest of all hosts. Where the engine's processes cannot be
    seen, there is nothing to wait for.
    """
    text = f"""
    process=$(docker container inspect --format '{{{{.State.Pid}}}}' {render(container, shown=False)}) || exit 0
    tries=0
    while [ "$tries" -lt {LISTENING_SECONDS * 20} ] && [ -r "/proc/$process/net/tcp" ]; do
      {_listens(port)} && break
      tries=$((tries + 1))
      sleep 0.05
    done
    exit 0"""
    return _looking(
        text, f"# wait until {container} listens on port {port}, at most {LISTENING_SECONDS} seconds", quiet=True
    )


def watched(command: Command, container: str, *, port: int, new: bool = True) -> Command:
    """Run `command`, a program that waits until `container` is healthy, and end it once the container cannot be.

    That is so when the container has ended for good or was restarted three times: status `NOT_READY_STATUS`. Tells on
    standard error when `port` was first seen open, unless it was from the beginning. Most switches end before the first
    look, after a second: each look costs the host's engine something.
    """
    text = f"""
    {_look(container, new=new)}
    passed() {{ echo "$(($(date +%s) - begun)) seconds"; }}
    watch() {{
      closed= pause=1
      while sleep "$pause" 3>&- && kill -0 "$pid"; do
        pause=0.5
        look || continue
        end=
        case $status in exited|dead|removing) end=$status ;; esac
        [ "$restarts" -lt {MOST_RESTARTS} ] || end="restarted $restarts times"
        if [ -n "$end" ]; then
          echo "container not ready after $(passed) ($end)" >&3
          trap "" TERM
          kill -KILL "$pid"
          exit {NOT_READY_STATUS}
        fi
        [ "$closed" != no ] && [ -r "/proc/$process/net/tcp" ] || continue
        if {_listens(port)}; then
          [ -z "$closed" ] || echo "port {port} was open after $(passed)" >&3
          closed=no
        else
          closed=yes
        fi
      done
    }}
    begun=$(date +%s)
    {command.shell_text()} &
    pid=$!
    watch 3>&2 > /dev/null 2>&1 &
    watching=$!
    {{ wait "$pid"; }} 2> /dev/null
    ended=$?
    {{ kill "$watching"; wait "$watching"; }} 2> /dev/null
    [ $? -ne {NOT_READY_STATUS} ] || exit {NOT_READY_STATUS}
    exit "$ended\""""
    return Command(Simple((Syntax(Sensitive(_dedented(text))),)), summary=command.display_text()).in_subshell()


def _look(container: str, *, new: bool) -> str:
    """Return a shell function that reads the container's state; `$health` is empty without a health check."""
    inspect = "docker container inspect --format"
    name = render(container, shown=False)
    return f"""before={0 if new else f"$({inspect} '{{{{.RestartCount}}}}' {name} || echo 0)"}
    look() {{
      seen=$({inspect} '{_FORMAT}' {name}) || return 1
      set -- $seen
      status=$1 restarts=$(($2 - before)) started=$3 exit_code=$4 process=$5 health=$6
      [ "$status" = running ] && [ "$health" != none ] || health=
    }}"""


def _listens(port: int) -> str:
    """Return a test that succeeds where the network namespace of `$process` listens on `port`."""
    table = '"/proc/$process/net/tcp'
    return f'cat {table}" {table}6" 2> /dev/null | grep -q ":{port:04X} [0-9A-F:]* 0A "'


def _looking(text: str, summary: str, *, quiet: bool = False) -> Command:
    return Command(Simple((Syntax(_dedented(text)),)), Effect.READ, quiet=quiet, summary=summary)


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.strip("\n").split("\n"))
