"""The adapter `aws`: AWS Secrets Manager by its API (docs/secrets.md).

A name is `NAME[:VERSION][#KEY]`, where NAME may be an ARN. VERSION is a staging label, or the id of a version, which
has 32 characters or more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.aws_api import (
    AT_A_TIME,
    Aws,
    AwsAdapter,
    Name,
    Service,
    chunks,
    json_object,
    key_of,
    parsed,
)
from pykamal.secrets.adapters.aws_errors import Refused, together
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import are_objects, value_of

SERVICE: Final = Service("secretsmanager", "AWS Secrets Manager")
_BATCH: Final = 20
"""How many secrets one request may name (BatchGetSecretValue)."""
_ARN_PARTS: Final = 7
_ID_LENGTH: Final = 32


class AwsSecretsManager(AwsAdapter):
    service: ClassVar[Service] = SERVICE

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        names = parsed(with_source(secrets, source))
        versions = {name.manager_name: _version(name.manager_name) for name in names}
        aws = self.logged_in(account)
        texts = _read(aws, versions)
        values: dict[str, Sensitive | None] = {}
        for name in names:
            values.update(_entries(name, texts[name.manager_name]))
        return values


def _version(name: str) -> dict[str, str]:
    """Return the parameters of GetSecretValue for a name."""
    parts = name.split(":")
    length = _ARN_PARTS if name.startswith("arn:") else 1
    secret, version = ":".join(parts[:length]), parts[length:]
    if not version:
        return {"SecretId": secret}
    if len(version) > 1 or not version[0] or not secret:
        raise KamalError(f"{name} names no secret of AWS", hint="write NAME:VERSION#KEY, or ARN:VERSION#KEY")
    return {"SecretId": secret, "VersionId" if len(version[0]) >= _ID_LENGTH else "VersionStage": version[0]}


def _read(aws: Aws, versions: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    """Return the texts by name. Those without a version are read in batches.

    What a batch does not give is asked for alone, as all are where no batch is allowed: that also tells why.
    """
    texts: dict[str, str] = {}
    failures: list[Refused] = []
    current = [name for name, parameters in versions.items() if len(parameters) == 1]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        if len(current) > 1:
            for found in pool.map(partial(_batch, aws), chunks(current, _BATCH)):
                texts.update(found)
        alone = {name: parameters for name, parameters in versions.items() if name not in texts}
        for name, text in zip(alone, pool.map(partial(_one, aws), alone, alone.values()), strict=True):
            if isinstance(text, Refused):
                failures.append(text)
            else:
                texts[name] = text
    if failures:
        raise together(failures, SERVICE.title)
    return texts


def _batch(aws: Aws, names: Sequence[str]) -> Mapping[str, str]:
    resource = ", ".join(names)
    texts: dict[str, str] = {}
    try:
        for answer in aws.pages("batch_get_secret_value", resource, SecretIdList=[*names]):
            values = answer.get("SecretValues", [])
            if not are_objects(values):
                raise aws.misunderstood("batch_get_secret_value", resource)
            for found in values:
                for name in set(names).intersection({found.get("Name"), found.get("ARN")}):
                    texts[name] = _text(aws, name, found)
    except Refused:
        return texts
    return texts


def _one(aws: Aws, name: str, parameters: Mapping[str, str]) -> str | Refused:
    try:
        return _text(aws, name, aws.call("get_secret_value", name, **parameters))
    except Refused as refused:
        return refused


def _text(aws: Aws, name: str, found: Mapping[str, Any]) -> str:
    text, binary = found.get("SecretString"), found.get("SecretBinary")
    if isinstance(text, str):
        return text
    if not isinstance(binary, bytes):
        raise aws.misunderstood("get_secret_value", name)
    with suppress(UnicodeDecodeError):  # which holds the bytes, so it is no context of the error
        return binary.decode()
    raise Refused(f"{name} in AWS Secrets Manager is binary, and no UTF-8 text", hint="store it as text, in base64")


def _entries(name: Name, text: str) -> Values:
    """The value of the key that was asked for; else those of all keys of a JSON object; else the text itself."""
    if name.key is not None:
        return {name.given: key_of(name, text)}
    found = json_object(text)
    if found is None:
        return {name.given: Sensitive(text)}
    return {f"{name.given}/{key}": value_of(value) for key, value in found.items()}


ADAPTER: Final[Adapter] = AwsSecretsManager()
