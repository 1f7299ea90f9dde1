"""A small web application to deploy: the standard library and nothing else.

    GET /                 a greeting with the version
    GET /up               200 when healthy, 500 when not
    GET /version          KAMAL_VERSION and the VERSION file as JSON
    GET /env              the environment as JSON
    GET /slow?seconds=2   answers late
    GET /health?state=bad turns /up bad, `state=good` turns it good again

Every answer carries X-Version. A file BROKEN next to this one, or HEALTHY=false, makes a version that never gets
healthy.
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(__file__).parent
VERSION = os.environ.get("KAMAL_VERSION", "none")
RELEASE = (FOLDER / "VERSION").read_text().strip()
BROKEN = (FOLDER / "BROKEN").exists() or os.environ.get("HEALTHY") == "false"
REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}
LONGEST_REQUEST_SECONDS = 30


class Application:
    def __init__(self):
        self.healthy = not BROKEN
        self.idle = set()
        self.busy = 0
        self.stopping = asyncio.Event()

    async def serve(self, port):
        server = await asyncio.start_server(self.connection, "0.0.0.0", port, backlog=1024)  # noqa: S104
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)
        say(f"version {VERSION} ({RELEASE}) listens on port {port}")
        await self.stopping.wait()
        server.close()
        for writer in self.idle:
            writer.close()
        say(f"stopping, {self.busy} requests to finish")
        for _ in range(LONGEST_REQUEST_SECONDS * 100):
            if not self.busy:
                break
            await asyncio.sleep(0.01)

    async def connection(self, reader, writer):
        try:
            while not self.stopping.is_set():
                self.idle.add(writer)
                head = await reader.readuntil(b"\r\n\r\n")
                self.idle.discard(writer)
                self.busy += 1
                try:
                    keep = await self.exchange(head, reader, writer)
                finally:
                    self.busy -= 1
                if not keep:
                    break
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            pass  # the client went away between two requests
        finally:
            self.idle.discard(writer)
            writer.close()

    async def exchange(self, head, reader, writer):
        line, *headers = head.decode("latin-1").split("\r\n")
        method, target, protocol = line.split(" ", 2)
        fields = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in headers)}
        if length := int(fields.get("content-length") or 0):
            await reader.readexactly(length)
        url = urlsplit(target)
        status, body = await self.answer(url.path, {k: v[-1] for k, v in parse_qs(url.query).items()})
        keep = protocol == "HTTP/1.1" and fields.get("connection", "").lower() != "close"
        keep = keep and not self.stopping.is_set()
        content = (body if isinstance(body, str) else json.dumps(body, indent=2)).encode() + b"\n"
        writer.write(
            f"HTTP/1.1 {status} {REASONS[status]}\r\n"
            f"Content-Type: {'text/plain' if isinstance(body, str) else 'application/json'}; charset=utf-8\r\n"
            f"Content-Length: {len(content)}\r\n"
            f"X-Version: {VERSION}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
        )
        if method != "HEAD":
            writer.write(content)
        await writer.drain()
        return keep

    async def answer(self, path, query):
        match path:
            case "/":
                return 200, f"Hello from version {VERSION} ({RELEASE})"
            case "/up":
                if not self.healthy:
                    say('ERROR: /up: relation "users" does not exist (is a migration missing?)')
                return (200, "up") if self.healthy else (500, "not healthy")
            case "/version":
                return 200, {"version": VERSION, "release": RELEASE}
            case "/env":
                return 200, dict(sorted(os.environ.items()))
            case "/slow":
                await asyncio.sleep(min(float(query.get("seconds", 2)), LONGEST_REQUEST_SECONDS))
                return 200, f"Slow hello from version {VERSION} ({RELEASE})"
            case "/health" if query.get("state") in {"good", "bad"}:
                self.healthy = query["state"] == "good"
                return 200, query["state"]
            case "/health":
                return 400, "state is good or bad"
        return 404, "not found"


def say(text):
    print(text, flush=True)


if __name__ == "__main__":
    if BROKEN:
        say("WARNING: this version is broken on purpose: /up answers 500")
    asyncio.run(Application().serve(int(os.environ.get("PORT", "8000"))))
    sys.exit(0)
