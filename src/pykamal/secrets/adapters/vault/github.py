"""ID tokens of GitHub Actions, which a job asks for over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Final
from urllib.parse import quote, urlsplit

from pykamal.core.answers import json_object
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import Client
from pykamal.secrets.credentials import hidden

_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable


def offers_id_token(environment: Mapping[str, str]) -> bool:
    """Tell that this is a job which may ask for ID tokens."""
    return bool(environment.get(_URL) and environment.get(_TOKEN))


def asks_for_permission(environment: Mapping[str, str]) -> bool:
    """Tell that this is a job which lacks the permission for that."""
    return environment.get("GITHUB_ACTIONS") == "true" and not offers_id_token(environment)


def github_id_token(environment: Mapping[str, str], audience: str) -> Sensitive:
    """Ask GitHub for an ID token of this job, made for that audience."""
    url = urlsplit(environment[_URL])
    query = f"{url.query}&" if url.query else ""
    client = Client(f"{url.scheme}://{url.netloc}", manager="GitHub's service for ID tokens", environment=environment)
    with closing(client):
        answer = client.request(
            "GET",
            f"{url.path}?{query}audience={quote(audience, safe='')}",
            headers={"Authorization": f"Bearer {hidden(environment[_TOKEN]).reveal()}", "Accept": "application/json"},
        )
    if answer.status != 200:
        raise KamalError(
            f"GitHub gave no ID token for this job: HTTP status {answer.status}",
            hint="the job needs `permissions: {id-token: write}`; a token for the request lives as long as its job",
        )
    value = json_object(answer.body.decode("utf-8", "replace")).get("value")
    if not isinstance(value, str) or not value:
        raise KamalError("GitHub's answer has no ID token in it", hint=f"look what {_URL} is set to")
    return hidden(value)
