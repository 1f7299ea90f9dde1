"""Services that hand out AWS credentials, on loopback, as their documentation has them.

These are stand-ins: the metadata service of containers (ECS), that of machines (EC2, version 2 alone, which asks for a
session token first), and the portal of IAM Identity Center (SSO).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tests.managers.served import Served

ROLE: Final = "shop-machine"
SESSION: Final = "session-of-the-metadata-service"
CONTAINER: Final = "authorization-of-the-container"
SSO: Final = "token-of-the-sso-login"
_EXPIRY: Final = "2099-01-01T00:00:00Z"


class MetadataServices(Served):
    """The three services at one port, which all hand out `credentials`, as STS gave them. `half` answers break off."""

    def __init__(self, credentials: Mapping[str, Any]) -> None:
        key, secret, token = (str(credentials[each]) for each in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
        given = {"AccessKeyId": key, "SecretAccessKey": secret, "Token": token, "Expiration": _EXPIRY}
        of_sso = {"accessKeyId": key, "secretAccessKey": secret, "sessionToken": token, "expiration": 4070908800000}
        self.half = False
        self._answers = {
            ("/container", "Authorization", CONTAINER): json.dumps(given),
            ("/latest/meta-data/iam/security-credentials/", "X-aws-ec2-metadata-token", SESSION): ROLE,
            (f"/latest/meta-data/iam/security-credentials/{ROLE}", "X-aws-ec2-metadata-token", SESSION): json.dumps(
                {"Code": "Success", "Type": "AWS-HMAC", **given}
            ),
            ("/federation/credentials", "x-amz-sso_bearer_token", SSO): json.dumps({"roleCredentials": of_sso}),
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        for (known, header, proof), body in self._answers.items():
            if known == path.partition("?")[0]:
                allowed = {name.lower(): text for name, text in headers.items()}.get(header.lower()) == proof
                return (200, body[: len(body) // 2] if self.half else body) if allowed else (401, "{}")
        return 404, ""

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        services = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._reply(*services.answer(self.path, dict(self.headers)))

            def do_PUT(self) -> None:
                timed = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds")
                self._reply(*((200, SESSION) if self.path == "/latest/api/token" and timed else (400, "")))

            def log_message(self, *_: object) -> None:
                pass

            def _reply(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                if status == 401:
                    self.send_header("x-amzn-ErrorType", "UnauthorizedException")  # the protocol of the SSO portal
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

        return Handler
