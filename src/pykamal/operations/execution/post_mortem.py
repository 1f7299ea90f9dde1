"""Describes a container that did not come up: its state, its log, its ports, the answers to its checks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pykamal.commands.subject import Action, Kind
from pykamal.core.answers import json_object, mapping, number, sequence
from pykamal.operations.execution.evidence import Evidence, Found
from pykamal.transport.session import StepResult

CHECKS: Final = 3
"""Entries of Docker's own health log that are shown."""

PROCESSES: Final = 5
"""Processes of the container that are shown."""

KILLED: Final = 137  # 128 + SIGKILL, which nobody but the kernel sends a container that has just been started
_REASONS: Final = {"error": "", "status": "status"}
_DOCKER_DNS: Final = "0B00007F"  # 127.0.0.11, where the engine answers a container's name look-ups
_LOOPBACK: Final = re.compile(r".{6}7F|0{24}01000000|0{16}FFFF0000.{6}7F")
_LISTENER: Final = re.compile(r"(?P<address>[0-9A-F]+):(?P<port>[0-9A-F]{1,4})")
_NO_SUCH_NAME: Final = re.compile(
    r"no such host|server misbehaving|name resolution|name or service not known", re.IGNORECASE
)
_OPENED: Final = re.compile(r"^port \d+ was open after (\d+) seconds$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PostMortem:
    """The evidence of one container.

    `listeners` are addresses, in hexadecimal as in /proc/net/tcp, and ports; `check` is the proxy's last failed check.
    `opened_after` is how many seconds the app's port was waited for, where it was seen to open; `deploy_timeout` is
    how many there were, and `check_interval` how many pass between two checks of the proxy.
    """

    restarts: int
    state: Mapping[str, Any]
    log: tuple[str, ...] = ()
    exit_codes: tuple[int, ...] = ()
    out_of_memory: bool = False
    listeners: tuple[tuple[str, int], ...] = ()
    check: Mapping[str, Any] | None = None
    processes: tuple[str, ...] = ()
    opened_after: int | None = None
    deploy_timeout: int | None = None
    check_interval: int | None = None
    title: str = "the app"
    was_ready: bool = False

    @property
    def details(self) -> Iterator[str]:
        """Lines for people."""
        yield f"container: {self._described}"
        if self.listeners:
            yield f"listens on: {', '.join(f'port {port}{self._where(address)}' for address, port in self.listeners)}"
        if self.opened_after is not None:
            yield f"port {self._target[0]} opened after {self.opened_after} seconds"
        elif self.processes and not self._on_port:
            yield from (f"runs, with processor time: {line}" for line in self.processes[:PROCESSES])
        if self.check is not None:
            yield f"last check of the proxy: {self.check.get('url')}: {self._format_output}"
        for entry in map(mapping, sequence(self._health.get("Log"))[-CHECKS:]):
            yield f"health check: exit code {entry.get('ExitCode')}: {str(entry.get('Output', '')).strip()}"
        if self.log:
            yield "last log lines:"
            yield from (f"  {line}" for line in self.log)

    @property
    def hint(self) -> str | None:
        """The likely cause and what to do about it; None where the evidence does not tell."""
        ended = self.exit_codes or self.restarts or self.state.get("Status") in {"exited", "restarting", "dead"}
        if self.out_of_memory:
            return "the container ran out of memory: raise its memory option, or make the app smaller"
        if KILLED in self.exit_codes:
            return (
                "the app was killed, most likely because the host or the container ran out of memory: see `free` and "
                "`dmesg` there, and raise the role's memory option if it has one"
            )
        if any("exec format error" in line for line in self.log):
            return "the image is for another processor than this host's: build it for that one too, with builder/arch"
        if self.state.get("Status") == "created":
            return None  # what Docker said of the start tells more
        if ended and self.was_ready:
            return (
                f"{self.title} exited after it had been found ready: the last log lines above say why; the old version "
                "is stopped, `kamal rollback` tells which ones there are to go back to"
            )
        if ended:
            return f"{self.title} exited at start: the last log lines above say why"
        return self._unanswered if self.check is not None else self._unready

    @property
    def _unready(self) -> str | None:
        """Explain why a running container does not pass Docker's own health check."""
        match self._health.get("Status"):
            case "starting":
                return f"its health check has not passed yet: {self._longer}"
            case "unhealthy":
                return f"its health check fails, as the lines above tell: mend that, or {self._longer}"
        return None

    @property
    def _unanswered(self) -> str | None:
        """Explain why a running container does not pass the proxy's check."""
        port, path = self._target
        if self._on_port and all(_LOOPBACK.fullmatch(address) for address in self._on_port):
            return f"the app listens on port {port} for the container itself only: let it listen on 0.0.0.0"
        if self._status is not None:
            advice = (
                "the last log lines above may say why; else let proxy/healthcheck/path name another page, or, where it "
                f"gets ready later, {self._longer}"
                if self._status.startswith("5")
                else "let proxy/healthcheck/path name one that it answers with 2xx to all, whatever the Host header"
            )
            return f"the app answers {self._status} to the health check of {path}: {advice}"
        if self._redirected is not None:
            return (
                f"the app redirects the health check of {path} to {self._redirected}, where the proxy gets no answer: "
                f"let the app answer {path} itself with 2xx, over plain HTTP too (where it forces TLS, except {path} "
                "from that), or let proxy/healthcheck/path name another page"
            )
        return self._unreached(port, path)

    def _unreached(self, port: int, path: str) -> str | None:
        """Explain why the proxy's check got no answer at all."""
        if "deadline" in self._format_output or "timeout" in self._format_output:
            return (
                f"the app takes the health check of {path} and does not answer in time: see what it waits for, or "
                f"raise proxy/healthcheck/timeout; where only its first answers take long, {self._longer}"
            )
        if "refused" in self._format_output or "Connect call failed" in self._format_output:
            return self._unopened(port)
        if _NO_SUCH_NAME.search(self._format_output):
            return (
                "the proxy does not find the container by its name, so they are not in the same network: see `docker "
                "network inspect kamal` there; `kamal proxy reboot` makes the proxy anew in it"
            )
        return None

    def _unopened(self, port: int) -> str:
        """Explain a refused connection of the proxy: the boot is slow, or the port is another one."""
        if self._on_port and self._check_came_late:
            return (
                f"port {port} opened after {self.opened_after} seconds, but the proxy looks once in "
                f"{self.check_interval} seconds, so that no check came in time: lower proxy/healthcheck/interval, or "
                f"{self._longer}"
            )
        if self._on_port:
            since = f"after {self.opened_after} seconds" if self.opened_after else "when the time was over"
            return f"the app boots slowly: it began to listen on port {port} only {since}: {self._longer}"
        if self.listeners:
            others = " and ".join(sorted({str(listened) for _, listened in self.listeners}))
            inside = all(_LOOPBACK.fullmatch(address) for address, _ in self.listeners)
            also = ", for the container itself only: let it listen on 0.0.0.0, and" if inside else ":"
            return (
                f"nothing in the container listens on port {port}, the app listens on {others}{also} set "
                f"proxy/app_port to that, or let the app listen on the port that proxy/app_port names; if it opens "
                f"that later, {self._longer}"
            )
        return (
            f"the app runs and listens on no port yet: if it needs longer to boot, {self._longer}; else the last log "
            "lines above may say what it waits for"
        )

    @property
    def _longer(self) -> str:
        """The setting to raise where the time was too short."""
        now = "" if self.deploy_timeout is None else f" (now {self.deploy_timeout} seconds)"
        return f"raise deploy_timeout in deploy.yml{now}"

    @property
    def _check_came_late(self) -> bool:
        """True if there was time for a check of the open port, had the proxy looked each second."""
        if self.opened_after is None or self.deploy_timeout is None or self.check_interval is None:
            return False
        left = self.deploy_timeout - self.opened_after
        return 2 < left < self.check_interval

    @property
    def _redirected(self) -> str | None:
        """Return the place to which the check was redirected, if it was."""
        found = re.search(r'\bGet "([^"\s]+)"', self._format_output)
        return found[1] if found and found[1] != (self.check or {}).get("url") else None

    @property
    def _on_port(self) -> list[str]:
        """The addresses on which something listens on the port that the proxy asks."""
        return [address for address, listened in self.listeners if listened == self._target[0]]

    @property
    def _described(self) -> str:
        parts = [str(self.state.get("Status", "unknown"))]
        if self.restarts:
            parts.append(f"restarted {self.restarts} times")
        if self.exit_codes:
            parts.append(f"exit code {' and '.join(str(code) for code in dict.fromkeys(self.exit_codes))}")
        if self.out_of_memory:
            parts.append("killed: out of memory")
        if self._health:
            parts.append(f"health {self._health.get('Status')}")
        return ", ".join(parts)

    @property
    def _health(self) -> Mapping[str, Any]:
        return mapping(self.state.get("Health"))

    @property
    def _target(self) -> tuple[int, str]:
        """Port and path of the proxy's check."""
        found = re.match(r"https?://[^/]*?(?::([0-9]{1,5}))?(/.*)?$", str((self.check or {}).get("url", "")))
        return (int(found[1] or 80), found[2] or "/") if found else (80, "/")

    @property
    def _format_output(self) -> str:
        """Return the reason for the check's failure, in the form of the proxy in use."""
        check = self.check or {}
        return " ".join(f"{name} {check[key]}".strip() for key, name in _REASONS.items() if check.get(key))

    @property
    def _status(self) -> str | None:
        """The status that the check got, if it got any."""
        found = re.search(r"\bstatus\D{0,8}(\d{3})\b", self._format_output)
        return found[1] if found else None

    @staticmethod
    def _where(address: str) -> str:
        return " of the container itself only" if _LOOPBACK.fullmatch(address) else ""


def read(found: Found, failure: StepResult | None = None) -> PostMortem | None:
    """Parse the evidence of a container and the failed step's output; None without a container."""
    state_lines = _lines(found, Evidence.STATE)
    container = json_object(state_lines[0]) if state_lines else {}
    restarts, state = container.get("restarts"), container.get("state")
    if not isinstance(restarts, int) or not isinstance(state, dict):
        return None
    deaths = [line.split() for line in _lines(found, Evidence.DEATHS)]
    seen = _exit_codes(deaths)
    last = state["ExitCode"] if isinstance(state.get("ExitCode"), int) else 0
    status = state["Status"] if isinstance(state.get("Status"), str) else "unknown"
    opened = _OPENED.search(failure.stderr) if failure is not None else None
    subject = failure.step.subject if failure is not None else None
    return PostMortem(
        restarts=restarts,
        state={**state, "Status": status},
        log=tuple(state_lines[1:]),
        exit_codes=tuple(seen) or ((last,) if last or status == "exited" else ()),
        out_of_memory=bool(state.get("OOMKilled")) or any(words[:1] == ["oom"] for words in deaths),
        listeners=tuple(_listeners(_lines(found, Evidence.LISTENERS))),
        check=_last_record(_lines(found, Evidence.CHECKS)),
        processes=tuple(_lines(found, Evidence.PROCESSES)),
        opened_after=number(opened[1]) if opened else None,
        deploy_timeout=subject.deploy_timeout if subject else None,
        check_interval=subject.check_interval if subject else None,
        was_ready=subject is not None and subject.action is Action.RECHECK,
        title=subject.title if subject is not None and subject.kind is not Kind.ROLE else "the app",
    )


def _exit_codes(deaths: Sequence[Sequence[str]]) -> list[int]:
    """Explain the exit code of a container that ended by itself; a requested end explains nothing."""
    befores = [[""], *deaths]
    codes = (
        number(words[1])
        for before, words in zip(befores, deaths, strict=False)
        if words[:1] == ["die"] and words[1:] and before[:1] != ["kill"]
    )
    return [code for code in codes if code is not None]


def _lines(found: Found, kind: Evidence) -> Sequence[str]:
    return found[kind].stdout.splitlines() if kind in found else ()


def _listeners(lines: Sequence[str]) -> Iterator[tuple[str, int]]:
    for line in dict.fromkeys(lines):
        found = _LISTENER.fullmatch(line)
        if found and found["address"] != _DOCKER_DNS:
            yield found["address"], int(found["port"], 16)


def _last_record(lines: Sequence[str]) -> Mapping[str, Any] | None:
    return (json_object(lines[-1]) or None) if lines else None
