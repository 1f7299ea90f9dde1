"""ID tokens of CI systems, by which a job logs in to secret managers without a secret of its own.

GitHub gives them over HTTP to a job with the permission `id-token: write`; GitLab has them in variables (`id_tokens`).
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote, urlsplit

from pykamal.core.answers import json_object
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.http import Client
from pykamal.secrets.adapters.settings import Settings
from pykamal.secrets.credentials import hidden

_URL: Final = "ACTIONS_ID_TOKEN_REQUEST_URL"
_TOKEN: Final = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - the name of a variable


def id_token(settings: Settings, key: str, *, audience: str | None) -> Sensitive | None:
    """Return the ID token of a setting, else one that GitHub makes for that audience; None where neither is here.

    Without an audience GitHub makes it for the address of the repository's owner.
    """
    if token := settings.get(key):
        return Sensitive(token)
    return github_id_token(settings.environment, audience) if offers_id_token(settings.environment) else None


def how_to_get_one(settings: Settings, key: str) -> str:
    """Return a hint for a login that has no ID token."""
    if asks_for_permission(settings.environment):
        return "GitHub gives this job no ID token: give it `permissions: {id-token: write}`"
    return f"no CI system offers an ID token here: with GitLab's `id_tokens`, set {settings.where(key)}"


def offers_id_token(environment: Mapping[str, str]) -> bool:
    """Tell that this is a job which may ask for ID tokens."""
    return bool(environment.get(_URL) and environment.get(_TOKEN))


def asks_for_permission(environment: Mapping[str, str]) -> bool:
    """Tell that this is a job which lacks the permission for that."""
    return environment.get("GITHUB_ACTIONS") == "true" and not offers_id_token(environment)


def github_id_token(environment: Mapping[str, str], audience: str | None) -> Sensitive:
    """Ask GitHub for an ID token of this job, made for that audience."""
    url = urlsplit(environment[_URL])
    asked = [url.query, *([f"audience={quote(audience, safe='')}"] if audience else [])]
    client = Client(f"{url.scheme}://{url.netloc}", manager="GitHub's service for ID tokens", environment=environment)
    with closing(client):
        answer = client.request(
            "GET",
            f"{url.path}?{'&'.join(filter(None, asked))}",
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


def unverified_claims(token: Sensitive) -> Mapping[str, Any]:
    """Return what a token in the form of a JWT says of itself, for people to read; nothing of any other token."""
    _, _, rest = token.reveal().partition(".")
    part = rest.partition(".")[0]
    try:
        return json_object(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode(errors="replace"))
    except ValueError:
        return {}
