"""Process 1 of the container: starts nginx and the control plane as siblings and keeps both alive.

Either may end without the other noticing: nginx serves from shared memory while the control plane starts again, and a
new nginx begins with the control plane's latest snapshot (spec/proxy.md 24.1).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import math
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from pykamal.proxy.arguments import Call
from pykamal.proxy.contract import ADMIN_SOCKET
from pykamal.proxy.errors import ProxyError
from pykamal.proxy.json_log import log, show_debug
from pykamal.proxy.listeners import Listeners
from pykamal.proxy.nginx import find_nginx, write_configuration
from pykamal.proxy.run_settings import settings_of
from pykamal.proxy.runtime_paths import socket_path, temporary_directory

SHUTDOWN_S = 10.0
RESTART_PAUSE_S = 0.2
LONGEST_CONTROL_PAUSE_S, LONGEST_NGINX_PAUSE_S = 10.0, 2.0
LASTING_S = 10.0
"""A child that lasts so long after its start did not end because of it."""
SNAPSHOT_S = 5.0
"""Time in which a control plane writes the snapshot for a new nginx; one that takes longer hangs, and is replaced."""

_POLL_S = 0.05
_IDLE_S = 5.0
_NGINX_LINES_PER_SECOND = 20
_PACKAGES = Path(__file__).parents[2]
_CONTROL = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pykamal.proxy.control_plane import main; main()"
"""The control plane needs the standard library and this package, nothing else that a site may hold."""


def run(call: Call) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit status. Raises ProxyError when a port is taken."""
    settings = settings_of(call)
    _open_standard_descriptors()
    if settings.debug:
        show_debug()
    if settings.http3:
        log("WARN", "HTTP/3 is not available; serving HTTP/1.1 and HTTP/2")
    metrics = [settings.metrics_port] if settings.metrics_port else []
    listeners = Listeners(*metrics, settings.http_port, settings.https_port)
    directory = _claim_run_directory()
    supervisor = Supervisor(directory, listeners)
    signal.signal(signal.SIGTERM, supervisor.stop)
    signal.signal(signal.SIGINT, supervisor.stop)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # children inherit this: nobody dies of it before it can heed it
    _set_limits()
    _append_to_output()
    try:
        _require_socket(socket_path())
        with _named(directory):
            configuration = write_configuration(directory, settings)
        supervisor.start(configuration)
        if settings.metrics_port:
            log("INFO", "Metrics enabled", port=settings.metrics_port)
        log("INFO", "Server started", http=settings.http_port, https=settings.https_port)
        supervisor.watch()
        return 0
    finally:
        supervisor.finish()
        shutil.rmtree(directory, ignore_errors=True)


class Restarts:
    """The pauses before the starts of a child, twice as long each time that it ended soon after the last one."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._pause_s = RESTART_PAUSE_S
        self._started_at = time.monotonic()

    def started(self) -> None:
        self._started_at = time.monotonic()

    def pause_s(self) -> float:
        """Called once for each end."""
        lasted = time.monotonic() - self._started_at > LASTING_S
        self._pause_s = RESTART_PAUSE_S if lasted else min(2 * self._pause_s, self._longest_s)
        return self._pause_s


class Supervisor:
    """The two children. `stop` is a signal handler; everything else runs in `run`'s order."""

    def __init__(self, directory: Path, listeners: Listeners) -> None:
        self._directory = directory
        self._listeners = listeners
        self._stopping = False
        self._configuration = Path()
        self._ready, self._ready_writer = os.pipe()
        self._control: subprocess.Popen[bytes] | None = None
        self._nginx: subprocess.Popen[bytes] | None = None
        self._control_restarts = Restarts(LONGEST_CONTROL_PAUSE_S)
        self._nginx_restarts = Restarts(LONGEST_NGINX_PAUSE_S)
        self._control_due: float | None = None
        self._life, self._life_writer = os.pipe()
        self._awakened = _signal_pipe()
        self._complaints = Complaints()
        self._copier = _copier_to_output()

    def stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def start(self, configuration: Path) -> None:
        """Starts both; returns once nginx serves and clients are answered."""
        self._configuration = configuration
        self._start_control()
        self._await(b"r")
        self._start_nginx()
        self._await(b"s")

    def watch(self) -> None:
        """Keeps both alive until a stop is asked for."""
        while not self._stopping:
            idle_s = _IDLE_S if self._control_due is None else max(self._control_due - time.monotonic(), 0)
            self._complaints.pass_on(idle_s, self._awakened)
            self._look_after_control()
            if self._nginx is None or self._nginx.poll() is not None:
                pause_s = self._nginx_restarts.pause_s()
                log("ERROR", "Data plane ended; starting it again", seconds=pause_s)
                self._wait(pause_s)
                self._restart_nginx()
            _reap({child.pid for child in (self._control, self._nginx, self._copier) if child is not None})

    def finish(self) -> None:
        """The orderly end of spec/proxy.md 20: no new connections, up to SHUTDOWN_S for requests in flight."""
        if self._control is not None:
            _end(self._control, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path(socket_path()).unlink()
        self._listeners.close()
        if self._nginx is None:
            return
        deadline = time.monotonic() + SHUTDOWN_S
        if self._nginx.poll() is None:
            self._nginx.send_signal(signal.SIGQUIT)
        while self._nginx.poll() is None and time.monotonic() < deadline:
            self._complaints.pass_on(_POLL_S, self._awakened)
        if self._nginx.poll() is None:
            log("WARN", "Closing active connections")
            _end(self._nginx, signal.SIGTERM)
        if self._copier is not None and self._copier.stdin is not None:
            self._copier.stdin.close()
            self._copier.wait()
        log("INFO", "Server stopped")

    def _look_after_control(self) -> None:
        """Starts a control plane that ended, after a pause in which nginx is watched all the same."""
        if self._control is not None and self._control.poll() is None:
            return
        if self._control_due is None:
            pause_s = self._control_restarts.pause_s()
            log("ERROR", "Control plane ended; starting it again", seconds=pause_s)
            self._control_due = time.monotonic() + pause_s
        if time.monotonic() >= self._control_due:
            self._start_control()

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self._stopping and (left := deadline - time.monotonic()) > 0:
            self._complaints.pass_on(left, self._awakened)

    def _start_control(self) -> None:
        self._control_restarts.started()
        self._control_due = None
        command = [sys.executable, "-ISX", "utf8", "-c", _CONTROL, str(_PACKAGES), str(self._directory)]
        # Its standard input stays open for as long as we live; where we are killed, it ends nginx and itself.
        self._control = subprocess.Popen(
            [*command, str(self._ready_writer)],
            pass_fds=[self._ready_writer],
            stdin=self._life,
            process_group=0,  # an interrupt from the terminal is for us to heed
        )

    def _start_nginx(self) -> None:
        self._nginx_restarts.started()
        (self._directory / ADMIN_SOCKET).unlink(missing_ok=True)
        command = [find_nginx(), "-p", str(self._directory), "-c", str(self._configuration)]
        self._nginx = subprocess.Popen(
            [*command, "-e", "stderr"],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=self._copier.stdin if self._copier else None,
            stderr=self._complaints.writer,
            process_group=0,
            pass_fds=self._listeners.descriptors,
            env={**os.environ, **self._listeners.environment},
        )

    def _restart_nginx(self) -> None:
        if self._nginx is not None:
            # Workers outlive a killed master and would keep the ports.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._nginx.pid, signal.SIGKILL)
            self._nginx = None
        while select.select([self._ready], [], [], 0)[0]:
            os.read(self._ready, 4096)
        if self._control is not None:
            self._control.send_signal(signal.SIGUSR1)  # a new one writes its snapshot anyway
        limit_s = SNAPSHOT_S
        while not self._stopping:
            try:
                self._await(b"r", limit_s)
                break
            except ProxyError as problem:
                log("ERROR", "Control plane does not answer; starting it again", error=str(problem))
                if self._control is not None:
                    _end(self._control, signal.SIGKILL)
                self._wait(self._control_restarts.pause_s())
                self._start_control()
                limit_s = math.inf
        if not self._stopping:
            self._start_nginx()

    def _await(self, sign: bytes, limit_s: float = math.inf) -> None:
        deadline = time.monotonic() + limit_s
        while not self._stopping:
            if select.select([self._ready], [], [], _POLL_S)[0] and sign in os.read(self._ready, 1):
                return
            if time.monotonic() > deadline:
                raise ProxyError(f"the control plane did not answer within {limit_s:.0f} s")
            if self._control is not None and self._control.poll() is not None:
                raise ProxyError(f"control plane ended with status {self._control.returncode}")
            if self._nginx is not None and self._nginx.poll() is not None:
                self._complaints.pass_on(_POLL_S)
                raise ProxyError(f"nginx ended with status {self._nginx.returncode}: {self._complaints.last}")
            self._complaints.pass_on(0)


class Complaints:
    """nginx's own error log, passed on as JSON lines, a limited number a second."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._rest = b""
        self._second = 0
        self._count = 0
        self.last = ""

    def pass_on(self, timeout_s: float, *others: int) -> None:
        """Waits up to `timeout_s` for lines, and logs those that came; `others` end the wait and are emptied."""
        readable = select.select([self._reader, *others], [], [], timeout_s)[0]
        for other in others:
            if other in readable:
                os.read(other, 4096)
        if self._reader not in readable:
            return
        *lines, self._rest = (self._rest + os.read(self._reader, 65536)).split(b"\n")
        for line in lines:
            self.last = line.decode(errors="replace")
            if int(time.monotonic()) != self._second:
                self._second, self._count = int(time.monotonic()), 0
            self._count += 1
            # A failed target is already logged in full by kamal/errors.lua.
            if self._count <= _NGINX_LINES_PER_SECOND and " upstream" not in self.last:
                log(_level(self.last), "nginx", line=self.last)


def _require_socket(path: str) -> None:
    """Raises ProxyError where the control plane could not answer clients.

    What a killed server left is replaced by a socket that nobody answers: clients wait for the control plane's.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            Path(path).unlink(missing_ok=True)
            probe.bind(path)
        except OSError as problem:
            reason = os.strerror(problem.errno) if problem.errno else str(problem)
            raise ProxyError(f"listen unix {path}: bind: {reason.lower()}") from None


def _open_standard_descriptors() -> None:
    """A port or a pipe would get the number of a closed one, and with it what was meant for the other."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


def _append_to_output() -> None:
    """nginx opens standard output anew: where that is a file, nobody may write over the other's lines."""
    fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_APPEND)


def _copier_to_output() -> subprocess.Popen[bytes] | None:
    """A pipe to our standard output for nginx, where /dev/stdout cannot be opened.

    That is so for a socket (a journal) and for a file of somebody else.
    """
    try:
        os.close(os.open("/dev/stdout", os.O_WRONLY | os.O_APPEND))
    except OSError:
        return subprocess.Popen(["cat"], stdin=subprocess.PIPE, process_group=0)
    return None


def _signal_pipe() -> int:
    """A descriptor that becomes readable with every signal, the end of a child included."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
    return reader


def _level(line: str) -> str:
    if "[warn]" in line:
        return "WARN"
    return "DEBUG" if any(word in line for word in ("[info]", "[notice]", "[debug]")) else "ERROR"


def _claim_run_directory() -> Path:
    """Ours alone, the same for every start on one socket, so that a killed server leaves nothing behind.

    Where another server still runs on that socket, it keeps its own, and goes on serving. Raises ProxyError.
    """
    key = hashlib.sha256(socket_path().encode()).hexdigest()[:12]
    directory = Path(temporary_directory(), f"kamal-proxy-{key}").absolute()
    number = 1
    with _named(directory):
        while directory.exists() and not _lock(directory):
            number += 1
            directory = directory.with_name(f"kamal-proxy-{key}-{number}")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        _lock(directory)
    return directory


def _lock(directory: Path) -> bool:
    """False when another process holds it; this one does to its end."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    return True


@contextlib.contextmanager
def _named(directory: Path) -> Iterator[None]:
    """Turns an OSError into a ProxyError that names the directory."""
    try:
        yield
    except OSError as problem:
        raise ProxyError(f"{directory}: {(problem.strerror or str(problem)).lower()}") from None


def _set_limits() -> None:
    """Allow as many descriptors as possible, and no core dumps: memory holds private keys."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end(child: subprocess.Popen[bytes], how: signal.Signals) -> None:
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(timeout=1)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _reap(own: set[int]) -> None:
    """Collects orphans, which process 1 inherits; `own` children are left to the code that waits for them."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in own:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)
