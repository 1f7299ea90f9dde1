"""The program that runs moto, by the interpreter that has it: moto as it is, nearer to AWS in four things.

What moto refuses for its signature or permission comes in the protocol of the request and with the codes that AWS
documents; moto has XML for all. A batch of secrets has the limit that AWS documents. AssumeRoleWithWebIdentity is not
signed, and its token has to be a JSON Web Token. Each request is a line of standard output: the operation and its
parameters.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import parse_qs

from moto.core.authorization import ActionAuthenticatorMixin
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

CODES: Final = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}
_authenticate = ActionAuthenticatorMixin._authenticate_and_authorize_action


def authenticate(responder: Any, *details: Any, **more: Any) -> None:
    if "Authorization" not in responder.headers and responder._get_action() == "AssumeRoleWithWebIdentity":
        return
    _authenticate(responder, *details, **more)


ActionAuthenticatorMixin._authenticate_and_authorize_action = authenticate


class NearerToAws:
    """The application of moto, with the differences that the module's text tells."""

    def __init__(self, moto: Callable[..., Iterable[bytes]]) -> None:
        self._moto = moto

    def __call__(self, request: dict[str, Any], start: Callable[..., object]) -> Iterable[bytes]:
        body = request["wsgi.input"].read(int(request.get("CONTENT_LENGTH") or 0))
        request["wsgi.input"] = io.BytesIO(body)
        operation = request.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        parameters = (
            json.loads(body) if operation else {name: text for name, (text,) in parse_qs(body.decode()).items()}
        )
        print(f"{operation or parameters.get('Action')} {json.dumps(parameters)}", flush=True)
        if len(parameters.get("SecretIdList", [])) > 20:
            return refuse(start, "ValidationException", "Member must have length less than or equal to 20")
        if parameters.get("WebIdentityToken", "a.b.c").count(".") != 2:
            error = "<Error><Code>InvalidIdentityToken</Code><Message>No OpenIDConnect provider found</Message></Error>"
            start("400 Bad Request", [("Content-Type", "text/xml")])
            return [f"<ErrorResponse>{error}</ErrorResponse>".encode()]
        began: list[Any] = []
        answer = b"".join(self._moto(request, lambda *how: began.extend(how[:2])))
        refused = re.search(rb"<Code>(\w+)</Code>\s*<Message>(.*?)</Message>", answer)
        if operation and refused:
            code = refused[1].decode()
            return refuse(start, CODES.get(code, code), refused[2].decode())
        start(*began)
        return [answer]


def refuse(start: Callable[..., object], code: str, message: str) -> list[bytes]:
    start("400 Bad Request", [("Content-Type", "application/x-amz-json-1.1")])
    return [json.dumps({"__type": code, "message": message}).encode()]


if __name__ == "__main__":
    application = NearerToAws(DomainDispatcherApplication(create_backend_app))
    run_simple("127.0.0.1", int(sys.argv[1]), application, threaded=True)
