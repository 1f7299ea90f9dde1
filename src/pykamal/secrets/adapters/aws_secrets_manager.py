"""AWS Secrets Manager by the program `aws` (spec/cli.md 16.3)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import Tool, are_objects, listed, value_of

_AWS: Final = Tool("aws", "AWS CLI", "https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html")
_AT_ONCE: Final = 20
"""How many secrets one request may name (BatchGetSecretValue)."""


class AwsSecretsManager:
    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        _AWS.require()
        names = with_source(secrets, source)
        values: dict[str, Sensitive | None] = {}
        for first in range(0, max(len(names), 1), _AT_ONCE):
            for found in _batch(names[first : first + _AT_ONCE], account):
                values.update(_entries(found))
        return values

    def status(self, *, account: str | None) -> str | None:
        _AWS.require()
        message, profile = "Not logged in to AWS", ["--profile", account] if account else []
        answer = _AWS.run("sts", "get-caller-identity", "--output", "json", *profile, quiet=True)
        hint = "log in (`aws sso login`), or set the variables of your access key; see `aws configure list`"
        return answer.expect(message, hint=hint).field(message, "Arn")


def _batch(names: list[str], profile: str | None) -> list[dict[str, Any]]:
    message = f"Could not read {listed(names)} from AWS Secrets Manager"
    login = f"aws sts get-caller-identity{f' --profile {profile}' if profile else ''}"
    words = ["secretsmanager", "batch-get-secret-value", "--secret-id-list", *names]
    answer = _AWS.run(*words, *(["--profile", profile] if profile else ()), "--output", "json")
    answer.expect(message, hint=f"see as whom you are logged in: {login}")
    found = answer.object(message)
    if errors := found.get("Errors"):
        if not are_objects(errors):
            raise answer.misunderstood(message, "has Errors that are no objects")
        raise KamalError(
            " ".join(f"{error.get('SecretId')}: {error.get('Message')}" for error in errors),
            hint=f"check the names, the region and the permission secretsmanager:GetSecretValue ({login})",
        )
    values = found.get("SecretValues")
    if not are_objects(values):
        raise answer.misunderstood(message, "has no SecretValues")
    return values


def _entries(found: Mapping[str, Any]) -> Values:
    """The keys of a secret that is an object of JSON; else the secret itself."""
    name, text = found.get("Name"), found.get("SecretString")
    if not isinstance(text, str):
        raise KamalError(
            f"Could not read {name} from AWS Secrets Manager: it is binary",
            hint="store it as text, in base64 where it has to be",
        )
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return {str(name): Sensitive(text)}
    if isinstance(parsed, dict):
        return {f"{name}/{key}": value_of(value) for key, value in parsed.items()}
    return {str(name): value_of(parsed)}


ADAPTER: Final[Adapter] = AwsSecretsManager()
