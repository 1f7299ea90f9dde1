"""The adapter `gcp_api`: Google Cloud's Secret Manager over HTTP (docs/secrets.md). `gcp` runs gcloud instead.

A name is `SECRET`, `PROJECT/SECRET` or `PROJECT/SECRET/VERSION`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final

from pykamal.core.answers import mapping
from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.google_login import LOGIN_SETTINGS, Login, log_in
from pykamal.secrets.adapters.http import Answer, Client, requests_at_a_time
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.server_json import document, not_understood
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun

_SERVER: Final = "Google Secret Manager"
_ACCESSOR: Final = "roles/secretmanager.secretAccessor"

SETTINGS: Final = (
    Setting("project", "the project of names that have none", ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")),
    Setting("location", "the location of regional secrets, such as europe-west3"),
    Setting("ca", "a file of the certificate authorities to trust", ("SSL_CERT_FILE",)),
    *LOGIN_SETTINGS,
)


@dataclass(frozen=True, slots=True)
class _Version:
    project: str
    secret: str
    version: str

    @property
    def name(self) -> str:
        return f"{self.project}/{self.secret}"


class GoogleSecretManagerApi:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._logins: OncePerRun[Login] = OncePerRun()

    def configured(self, settings: Settings) -> GoogleSecretManagerApi:
        return GoogleSecretManagerApi(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        parts = {name: _parts(name) for name in with_source(secrets, source)}
        settings = self._settings
        login = self._logins.get(account, lambda: log_in(settings, account=account))
        project = settings.get("project") or login.project
        names = {name: _version(name, found, project) for name, found in parts.items()}
        location = settings.get("location")
        client = Client(
            f"https://secretmanager.{f'{location}.rep.' if location else ''}googleapis.com",
            manager=_SERVER,
            environment=settings.environment,
            ca=settings.get("ca"),
            ca_variable=settings.where("ca"),
        )
        with closing(client), ThreadPoolExecutor(requests_at_a_time()) as pool:
            place = f"/locations/{location}" if location else ""
            values = pool.map(lambda version: _read(client, login, version, place), names.values())
            return dict(zip(names, values, strict=True))

    def status(self, *, account: str | None) -> str | None:
        return self._logins.get(account, lambda: log_in(self._settings, account=account)).identity


def _parts(name: str) -> list[str]:
    """Take a name apart. A resource name, as gcloud shows it, is understood too."""
    resource = r"projects/([^/]+)(?:/locations/[^/]+)?/secrets/([^/]+)(?:/versions/([^/]+))?"
    found = re.fullmatch(resource, name)
    parts = [part for part in found.groups() if part] if found else name.split("/")
    if len(parts) > 3 or not all(re.fullmatch(r"[\w.:-]+", part, re.ASCII) and part.strip(".") for part in parts):
        raise KamalError(
            f"{name} names no secret of Google Cloud", hint="write PROJECT/SECRET, PROJECT/SECRET/VERSION, or SECRET"
        )
    return parts


def _version(name: str, parts: Sequence[str], project: str | None) -> _Version:
    if len(parts) > 1:
        project = parts[0]
    if project is None:
        hint = "write PROJECT/SECRET, give --from PROJECT, or set GOOGLE_CLOUD_PROJECT"
        raise KamalError(f"The project of the secret {name} is not known", hint=hint)
    return _Version(project, parts[1] if len(parts) > 1 else parts[0], parts[2] if len(parts) > 2 else "latest")


def _read(client: Client, login: Login, version: _Version, place: str) -> Sensitive:
    path = f"/v1/projects/{version.project}{place}/secrets/{version.secret}/versions/{version.version}:access"
    answer = client.request("GET", path, headers=login.headers)
    if answer.status != 200:
        raise _refused(answer, version)
    payload = mapping(document(answer, _SERVER).get("payload"))
    data, checksum = payload.get("data", ""), payload.get("dataCrc32c")
    if not payload or not isinstance(data, str):
        raise not_understood(_SERVER)
    content = _decoded(data)
    if checksum is not None and str(crc32c(content)) != str(checksum):
        raise UnexpectedAnswer(
            f"The value of {version.name} arrived damaged: its checksum is another",
            hint="try again; ask who is between",
        )
    text = content.decode(errors="surrogateescape")
    if re.search("[\udc80-\udcff]", text):
        raise KamalError(
            f"The value of {version.name} in {_SERVER} is not UTF-8 text, which no environment of a container can hold",
            hint="store it in base64, and have the application decode it",
        )
    return Sensitive(text)


def _decoded(data: str) -> bytes:
    with suppress(ValueError):
        return base64.b64decode(data, validate=True)
    raise not_understood(_SERVER)


def _refused(answer: Answer, version: _Version) -> KamalError:
    error = mapping(document(answer, _SERVER).get("error"))
    message, name = str(error.get("message", "")), version.name
    details = error.get("details")
    reasons = {str(mapping(each).get("reason")) for each in details} if isinstance(details, list) else set()
    if answer.status == 401:
        return KamalError(f"{_SERVER} does not take the token of the login", hint="log in anew")
    if answer.status == 403 and "SERVICE_DISABLED" in reasons:
        enable = f"gcloud services enable secretmanager.googleapis.com --project {version.project}"
        return KamalError(f"The Secret Manager API is not enabled in the project {version.project}", hint=enable)
    if answer.status == 403 and "SECURITY_POLICY_VIOLATED" in reasons:
        return KamalError(
            f"The service perimeter of the organization does not let this machine read {name}",
            hint="deploy from a network that the perimeter's access levels allow",
        )
    if answer.status == 403:
        grant = (
            f"gcloud secrets add-iam-policy-binding {version.secret} --project {version.project} "
            f"--role {_ACCESSOR} --member serviceAccount:ADDRESS"
        )
        return KamalError(f"No permission to read {name} in {_SERVER}, or it does not exist", hint=grant)
    if answer.status == 404:
        return KamalError(
            f"{_SERVER} has no {name} of version {version.version}",
            hint=f"see what there is: gcloud secrets list --project {version.project}; a regional one needs a location",
        )
    state = re.search(r"\b(DISABLED|DESTROYED)\b", message)
    if answer.status == 400 and state is not None:
        again = (
            f"gcloud secrets versions enable {version.version} --secret {version.secret} --project {version.project}"
        )
        hint = again if state[1] == "DISABLED" else "add a new version"
        return KamalError(f"Version {version.version} of {name} in {_SERVER} is {state[1].lower()}", hint=hint)
    if answer.status == 429:
        return KamalError(
            f"{_SERVER} limits the rate of requests, and did so for every attempt",
            hint="try again later, or have the quota raised",
        )
    return KamalError(
        f"{_SERVER} answered with HTTP status {answer.status} for {name}",
        hint="see whether Google Cloud has an incident: https://status.cloud.google.com",
    )


@cache
def _crc_table() -> Sequence[int]:
    table = []
    for each in range(256):
        value = each
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


def crc32c(content: bytes) -> int:
    """Return the checksum that Secret Manager sends along (Castagnoli's polynomial, RFC 3720 B.4)."""
    table, value = _crc_table(), 0xFFFFFFFF
    for byte in content:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


ADAPTER: Final[Adapter] = GoogleSecretManagerApi()
