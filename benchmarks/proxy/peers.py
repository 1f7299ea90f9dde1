"""The three proxies and the target they stand in front of, each a process of its own on a core of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from pykamal.proxy.arguments import Call, parse
from pykamal.proxy.client import call_server
from pykamal.proxy.nginx import find_nginx

ROOT = Path(__file__).parents[2]
CADDY = ROOT / ".cache" / "bench" / "bin" / "caddy"
HOST = "bench.example"
START_LIMIT_S = 60.0
SECOND = 1_000_000_000
LOGGED = ("Cache-Control", "Last-Modified", "User-Agent")

PROXY_CORE, OTHER_CORE = sorted(os.sched_getaffinity(0))[0], sorted(os.sched_getaffinity(0))[-1]
"""The proxy has a core for itself; load and target share the other one."""


class Server(ABC):
    """A server on loopback with a folder of its own; a context manager."""

    name: str
    core: int = PROXY_CORE

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pykamal-bench-"))
        self.port, self.secure_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Writes what the server reads and returns how it is started."""

    def environment(self) -> dict[str, str]:
        return {}

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def __enter__(self) -> Self:
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["taskset", "--cpu-list", str(self.core), *self.command()],
                env={**os.environ, "HOME": str(self.folder), **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait()
        return self

    def __exit__(self, *raised: object) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)

    def resident(self) -> int:
        """Resident memory of all its processes, in bytes, pages that they share counted once."""
        return sum(_proportional_bytes(pid) for pid in self.processes())

    def processes(self) -> list[int]:
        """The server's process and all below it."""
        assert self.process is not None
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            waiting += [int(child) for child in children]
        return found

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + START_LIMIT_S
        while not self.listens():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not start:\n{(self.folder / 'log').read_text(errors='replace')}")
            time.sleep(0.02)


class Target(Server):
    """Answers `/1k` and `/100k` from memory."""

    name = "target"
    core = OTHER_CORE

    def command(self) -> Sequence[str]:
        for size in (1, 100):
            (self.folder / f"{size}k").write_bytes(b"x" * size * 1000)
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"""daemon off; pid {self.folder}/pid; worker_processes 1; error_log stderr error; {_as_root()}
events {{ worker_connections 16384; }}
http {{
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; open_file_cache max=10; keepalive_requests 1000000000;
    {_temporary(self.folder)}
    server {{ listen 127.0.0.1:{self.port} backlog=4096; root {self.folder}; location = /up {{ return 200; }} }}
}}
"""
        )
        return [find_nginx(), "-c", str(configuration)]


class PlainNginx(Server):
    """`proxy_pass` with keep-alive to the target, forwarding headers and a JSON log: what one would write by hand."""

    name = "nginx"

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def command(self) -> Sequence[str]:
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            f"""daemon off; pid {self.folder}/pid; worker_processes 1; error_log stderr error; {_as_root()}
events {{ worker_connections 16384; }}
http {{
    {_temporary(self.folder)}
    keepalive_timeout 1h; keepalive_requests 1000000000; client_max_body_size 0; tcp_nodelay on;
    log_format requests escape=json '{{"time":"$time_iso8601","host":"$http_host","path":"$uri","status":$status,'
        '"duration":$request_time,"method":"$request_method","length":$body_bytes_sent,"client":"$remote_addr",'
        '"agent":"$http_user_agent","proto":"$server_protocol","query":"$args","target":"$upstream_addr"}}';
    upstream target {{ server 127.0.0.1:{self.target.port}; keepalive 128; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        access_log /dev/stdout requests buffer=4k flush=100ms;
        location / {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Host $http_host;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-ID $request_id;
            proxy_pass http://target;
        }}
    }}
}}
"""
        )
        return [find_nginx(), "-c", str(configuration)]


class Caddy(Server):
    """Caddy's reverse proxy with its JSON access log."""

    name = "Caddy"

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def command(self) -> Sequence[str]:
        configuration = self.folder / "caddy.json"
        route = {"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{self.target.port}"}]}]}
        server = {
            "listen": [f"127.0.0.1:{self.port}"],
            "automatic_https": {"disable": True},
            "logs": {},
            "routes": [route],
        }
        log = {"writer": {"output": "stdout"}, "encoder": {"format": "json"}, "level": "INFO"}
        settings: dict[str, Any] = {
            "admin": {"disabled": True},
            "logging": {"logs": {"default": log}},
            "apps": {"http": {"servers": {"bench": server}}},
        }
        configuration.write_text(json.dumps(settings))
        return [str(CADDY), "run", "--config", str(configuration)]

    def environment(self) -> dict[str, str]:
        return {"GOMAXPROCS": "1", "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}


class OurProxy(Server):
    """This project's proxy.

    It starts with as many `services` in its table, each with a host of its own and the same target.
    """

    name = "pykamal"

    def __init__(self, target: Target, *, services: int = 0) -> None:
        super().__init__()
        self.target = target
        self.services = services

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(ROOT / "src"), "KAMAL_PROXY_SOCKET": str(self._socket)}

    def command(self) -> Sequence[str]:
        self._write_state()
        ports = ["--http-port", str(self.port), "--https-port", str(self.secure_port)]
        return [sys.executable, "-m", "pykamal.proxy", "run", *ports]

    def listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def deploy(self, service: str, host: str, *flags: str) -> str:
        """`kamal-proxy deploy` with the flags that Kamal sends by default."""
        headers = [f"--log-request-header={name}" for name in LOGGED]
        timeouts = ["--deploy-timeout=30s", "--drain-timeout=30s"]
        target = f"--target=127.0.0.1:{self.target.port}"
        buffers = ["--buffer-requests", "--buffer-responses"]
        call = parse(["deploy", service, target, f"--host={host}", *timeouts, *buffers, *headers, *flags])
        assert isinstance(call, Call)
        os.environ["KAMAL_PROXY_SOCKET"] = str(self._socket)
        return call_server(call)

    def seconds_to_deploy(self, service: str, host: str) -> float:
        """Measure from the client's request to the server's answer, without a health check."""
        started = time.perf_counter()
        self.deploy(service, host, "--force")
        return time.perf_counter() - started

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _write_state(self) -> None:
        """The state file, as the contract has it (spec/proxy.md 4), for what would take hours to deploy one by one."""
        target_options = {
            "health_check_config": {"path": "/up", "port": 0, "interval": SECOND, "timeout": 5 * SECOND, "host": ""},
            "response_timeout": 30 * SECOND,
            "buffer_requests": True,
            "buffer_responses": True,
            "max_memory_buffer_size": 1048576,
            "forward_headers": True,
            "log_request_headers": list(LOGGED),
        }
        records = [
            {
                "name": f"web-{number}",
                "options": {"hosts": [host_of(number)], "path_prefixes": ["/"], "strip_prefix": True},
                "target_options": target_options,
                "active_targets": [f"127.0.0.1:{self.target.port}"],
                "pause_controller": {"state": 0, "stop_message": "", "fail_after": 0},
            }
            for number in range(self.services)
        ]
        path = self.folder / ".config/kamal-proxy/kamal-proxy.state"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(records))


def host_of(number: int) -> str:
    """The host of one service among many."""
    return f"app{number}.{HOST}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_root() -> str:
    return "user root root;" if os.geteuid() == 0 else ""


def _temporary(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)


def _proportional_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
