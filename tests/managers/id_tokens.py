"""Signed ID tokens, GitHub's service that hands them out, and the token review of Kubernetes, all on loopback.

The two services are stand-ins: they speak what GitHub and Kubernetes document, with real signatures.
"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.managers.certificates import Pair
from tests.managers.served import Served


class Issuer:
    """Signs ID tokens (RS256) with a key of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = self._key.public_key()
        self.public_key = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()

    def token(self, **claims: object) -> str:
        """Return a token that is valid for a minute from now; claims may say otherwise."""
        now = int(time.time())
        standard = {"iss": self.address, "sub": "job", "iat": now, "nbf": now, "exp": now + 60}
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT'})}.{_encoded({**standard, **claims})}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_base64(signature)}"

    def claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token that this issuer signed; None for any other text."""
        signed, _, signature = token.rpartition(".")
        try:
            self._key.public_key().verify(_decoded(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return None
        found: dict[str, Any] = json.loads(_decoded(signed.partition(".")[2]))
        return found


def service_account(issuer: Issuer, namespace: str, name: str, **claims: object) -> str:
    """Return the token that a pod of a service account has."""
    account = {"namespace": namespace, "serviceaccount": {"name": name, "uid": f"uid-{name}"}}
    subject = f"system:serviceaccount:{namespace}:{name}"
    return issuer.token(**{"sub": subject, "kubernetes.io": account, **claims})


class JsonService(Served):
    """An HTTP server whose `answer` gets each request and returns a status and a document; with a pair, over TLS."""

    def __init__(self, pair: Pair | None = None) -> None:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(b"")

            def do_POST(self) -> None:
                self._answer(self.rfile.read(int(self.headers["Content-Length"])))

            def _answer(self, body: bytes) -> None:
                status, document = service.answer(self.path, self.headers.get("Authorization", ""), body)
                text = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if pair is not None:
            self._server.socket = pair.server_context().wrap_socket(self._server.socket, server_side=True)
        self.address = f"{'http' if pair is None else 'https'}://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        raise NotImplementedError


class GitHub(JsonService):
    """GitHub's service for ID tokens: a job with the right bearer token gets one for the audience that it names."""

    def __init__(self, issuer: Issuer, bearer: str, **claims: object) -> None:
        super().__init__()
        self._issuer, self._bearer, self._claims = issuer, bearer, claims
        self.asked = 0

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        self.asked += 1
        url = urlsplit(path)
        query = parse_qs(url.query)
        if authorization != f"Bearer {self._bearer}" or query.get("api-version") != ["2.0"]:
            return 401, {"message": "not authorized"}
        audience = query.get("audience", ["https://github.com/acme"])[0]
        return 200, {"count": 1, "value": self._issuer.token(aud=audience, **self._claims)}

    @property
    def variables(self) -> dict[str, str]:
        """The variables that a job with `id-token: write` has."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self._bearer,
        }


class Kubernetes(JsonService):
    """The TokenReview of a cluster whose service accounts `issuer` signs for."""

    def __init__(self, issuer: Issuer, reviewer: str, pair: Pair) -> None:
        super().__init__(pair)
        self._issuer, self._reviewer = issuer, reviewer

    def answer(self, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        if path != "/apis/authentication.k8s.io/v1/tokenreviews" or authorization != f"Bearer {self._reviewer}":
            return 403, {"kind": "Status", "status": "Failure", "code": 403}
        review = json.loads(body)
        claims = self._issuer.claims(review["spec"]["token"])
        if claims is None or claims["exp"] < time.time():
            status: dict[str, object] = {"authenticated": False, "error": "invalid bearer token"}
        else:
            user = {"username": claims["sub"], "uid": claims["kubernetes.io"]["serviceaccount"]["uid"]}
            status = {"authenticated": True, "user": {**user, "groups": ["system:serviceaccounts"]}}
        return 201, {**review, "status": status}


def _encoded(document: object) -> str:
    return _base64(json.dumps(document).encode())


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
