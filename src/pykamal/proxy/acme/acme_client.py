"""Carries out one order at an ACME authority (RFC 8555, HTTP-01) with EFF's `acme` library.

A process of its own (acme/orders.py starts it): the library is large, blocks, and is needed once in sixty days.
Standard input has the order as one line of JSON. Standard output has one event a line: after `account` and `challenge`
it waits for a line in return; the last is `issued` or `failed`. When its input ends, it ends.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from josepy import jwa, jwk

ISSUE_LIMIT_S = 90
REQUEST_LIMIT_S = 30
NONCE_ATTEMPTS = 4
RSA_BITS = 2048
POSTPONING_STATUSES = (429, 503)
USER_AGENT = "pykamal-proxy"

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
Tell = Callable[[dict[str, str]], None]


class NoKey(ValueError):
    """The account's key is none."""


class Postponed(errors.Error):
    """The authority takes no request now; `wait_s` is for how long, 0 when it does not say."""

    def __init__(self, kind: str, detail: str, wait_s: float) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.wait_s = kind, detail, wait_s


class PatientNetwork(client.ClientNetwork):
    """Repeats a request whose nonce the authority did not like, which is nobody's fault; the library tries twice.

    Only the request: a repeated order would be one more for the authority to count.
    """

    def post(self, *args: Any, **kwargs: Any) -> requests.Response:
        for _ in range(NONCE_ATTEMPTS - 1):
            try:
                return super().post(*args, **kwargs)
            except messages.Error as problem:
                if problem.code != "badNonce":
                    raise
        return super().post(*args, **kwargs)


def main() -> None:
    """Reads the order and carries it out."""
    order = json.loads(sys.stdin.readline())
    try:
        key, chain = obtain(order, _tell_and_wait)
    except (errors.Error, messages.Error, OSError, ValueError) as problem:  # what requests raises is an OSError
        _tell({"event": "failed", **explain(problem)})
    else:
        _tell({"event": "issued", "key": key, "chain": chain})


def obtain(order: dict[str, Any], tell: Tell) -> tuple[str, str]:
    """Private key and certificate chain in PEM, for the fields of orders.Order. `tell` returns when it was heeded."""
    account_key = order["account_key"] or _pem(_new_key("ecdsa"))
    authority = _log_in(order["directory"], order["ca_file"], account_key)
    if not order["account_key"]:
        tell({"event": "account", "key": account_key})
    key = _new_key(order["key_type"])
    request = _signing_request(key, order["host"])
    return _pem(key), _issue(authority, request, tell)


def explain(problem: Exception) -> dict[str, str]:
    """Explain a failure: `kind`, `detail` and, where the authority puts us off, `wait_s`, as in orders.OrderFailed."""
    if isinstance(problem, errors.ValidationError):
        found = [
            str(challenge.error.detail)
            for authorization in problem.failed_authzrs
            for challenge in authorization.body.challenges
            if challenge.error is not None
        ]
        return {"kind": "validation", "detail": "; ".join(found)}
    if isinstance(problem, errors.IssuanceError):
        problem = problem.error
    if isinstance(problem, messages.Error):
        return {"kind": str(problem.typ).rpartition(":")[2], "detail": str(problem.detail)}
    if isinstance(problem, Postponed):
        return {"kind": problem.kind, "detail": problem.detail, "wait_s": str(problem.wait_s)}
    if isinstance(problem, errors.TimeoutError):
        return {"kind": "timeout", "detail": f"the order was not finished within {ISSUE_LIMIT_S} s"}
    if isinstance(problem, NoKey):
        return {"kind": "account", "detail": str(problem)}
    # Some of what requests raises (an OSError itself) the library turns into a ValueError.
    if isinstance(problem, OSError) or isinstance(problem.__context__, requests.RequestException):
        return {"kind": "unreachable", "detail": str(problem)}
    return {"kind": "protocol", "detail": f"{type(problem).__name__}: {problem}"}


def retry_after_s(value: str) -> float:
    """Return the seconds from now; 0 for neither a number of seconds nor a date to come (RFC 9110, 10.2.3)."""
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0


def _log_in(directory: str, ca_file: str, account_key: str) -> client.ClientV2:
    """A client of the account that belongs to the key; the authority makes one where there is none."""
    key, algorithm = _account(account_key)
    network = PatientNetwork(
        key,
        alg=algorithm,
        verify_ssl=ca_file or True,  # type: ignore[arg-type] # handed on to requests, which takes a bundle too
        user_agent=USER_AGENT,
        timeout=REQUEST_LIMIT_S,
    )
    network.session.hooks["response"].append(_heed_postponement)
    authority = client.ClientV2(client.ClientV2.get_directory(directory, network), network)
    try:
        authority.new_account(messages.NewRegistration.from_data(terms_of_service_agreed=True))
    except errors.ConflictError as known:
        network.account = messages.RegistrationResource(body=messages.Registration(), uri=known.location)
    return authority


def _heed_postponement(response: requests.Response, *_: Any, **__: Any) -> None:
    """The library drops what stands in the header, and waits for nothing."""
    if response.status_code not in POSTPONING_STATUSES:
        return
    kind, detail = "unavailable", f"HTTP status {response.status_code}"
    try:
        document = response.json()
        kind, detail = str(document["type"]).rpartition(":")[2], str(document["detail"])
    except (ValueError, LookupError, TypeError):
        pass  # not the authority's own words: those of something in front of it
    raise Postponed(kind, detail, retry_after_s(response.headers.get("Retry-After", "")))


def _account(pem: str) -> tuple[jwk.JWK, jwa.JWASignature]:
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (TypeError, ValueError) as problem:
        raise NoKey(f"the account's key cannot be read: {problem}") from problem
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return jwk.JWKEC(key=key), jwa.ES256
    if isinstance(key, rsa.RSAPrivateKey):
        return jwk.JWKRSA(key=key), jwa.RS256
    raise NoKey("the account's key is of an unknown kind")


def _issue(authority: client.ClientV2, request: bytes, tell: Tell) -> str:
    placed = authority.new_order(request)
    for authorization in placed.authorizations:
        if authorization.body.status != messages.STATUS_VALID:
            _answer(authority, authorization, tell)
    deadline = datetime.now() + timedelta(seconds=ISSUE_LIMIT_S)
    return str(authority.poll_and_finalize(placed, deadline).fullchain_pem)


def _answer(authority: client.ClientV2, authorization: messages.AuthorizationResource, tell: Tell) -> None:
    for offered in authorization.body.challenges:
        if isinstance(offered.chall, challenges.HTTP01):
            response, text = offered.response_and_validation(authority.net.key)
            tell({"event": "challenge", "token": offered.chall.encode("token"), "text": text})
            authority.answer_challenge(offered, response)
            return
    raise ValueError("the authority offers no HTTP-01 challenge")


def _new_key(kind: str) -> PrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    return ec.generate_private_key(ec.SECP256R1())


def _pem(key: PrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _signing_request(key: PrivateKey, host: str) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    names = x509.SubjectAlternativeName([x509.DNSName(host)])
    request = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def _tell(event: dict[str, str]) -> None:
    print(json.dumps(event), flush=True)


def _tell_and_wait(event: dict[str, str]) -> None:
    _tell(event)
    if not sys.stdin.readline():
        sys.exit(1)
