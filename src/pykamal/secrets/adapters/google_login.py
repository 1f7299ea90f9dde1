"""Tokens of Google Cloud, by the credentials of google-auth."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.extras import import_extra, silence
from pykamal.secrets.adapters.http import authorities
from pykamal.secrets.adapters.id_tokens import how_to_get_one, id_token
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.credentials import hidden

LOGIN_SETTINGS: Final = (
    Setting(
        "auth/credentials_file",
        "a file of credentials: of a service account, of a workload identity, or of a user",
        ("GOOGLE_APPLICATION_CREDENTIALS",),
    ),
    Setting(
        "auth/workload_identity_provider",
        "the provider of a pool that takes ID tokens of CI, as in projects/N/locations/global/workloadIdentityPools/P/"
        "providers/P",
        ("GCP_WORKLOAD_IDENTITY_PROVIDER",),
    ),
    Setting("auth/id_token", "an ID token of CI; GitHub is asked for one without it", ("GCP_ID_TOKEN",), secret=True),
    Setting("auth/audience", "for whom GitHub makes the ID token; the provider without it", ("GCP_ID_TOKEN_AUDIENCE",)),
    Setting("auth/impersonate", "a service account to act as", ("CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",)),
)
_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)
_USERS_FILE: Final = "application_default_credentials.json"


@dataclass(frozen=True, slots=True)
class Login:
    """A token, the project of the credentials, the one that a user's requests count for, and whose login it is."""

    token: Sensitive
    project: str | None
    quota_project: str | None
    identity: str | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        counted = {"X-Goog-User-Project": self.quota_project} if self.quota_project else {}
        return {"Authorization": f"Bearer {self.token.reveal()}", **counted}


def log_in(settings: Settings, *, account: str | None) -> Login:
    """Return a login: by a file of credentials, by that of `gcloud`, or by the metadata service of this machine.

    `account` is a service account to act as. Raises `DependencyError`, and `KamalError` when there is no login or it is
    refused.
    """
    auth = import_extra("google.auth", extra="gcp")
    errors = import_extra("google.auth.exceptions", extra="gcp")
    silence("google")
    file = _credentials_file(settings)
    provider = None if settings.get("auth/credentials_file") else settings.get("auth/workload_identity_provider")
    request = _request(settings)
    account = account or settings.get("auth/impersonate")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a user's login is none of a service, which is known here
            if provider:
                found, project = _of_ci(settings, provider), None
            elif file is None:
                found, project = auth.default(scopes=_SCOPES, request=request)
            else:
                found, project = auth.load_credentials_from_file(str(file), scopes=_SCOPES, request=request)
        if account:
            impersonated = import_extra("google.auth.impersonated_credentials", extra="gcp")
            found = impersonated.Credentials(found, target_principal=account, target_scopes=list(_SCOPES))
        hidden(getattr(found, "refresh_token", None) or "")  # of a user's file
        found.refresh(request)
        quota_project = getattr(found, "quota_project_id", None)
        return Login(hidden(found.token), project, quota_project, _identity(found))
    except errors.DefaultCredentialsError:
        failure = _no_login(settings, file)
    except errors.GoogleAuthError as error:
        failure = _refused(error, errors, settings, account)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # what the library takes for granted
        reason = error.strerror if isinstance(error, OSError) else "it has not the right form"
        hint = f"look at {settings.where('auth/credentials_file')}"
        failure = KamalError(f"The file of Google's credentials cannot be used: {reason}", hint=hint)
    raise failure  # here, where the library's error is no part of it: its text may have what a server repeated


class _Supplier:
    """An ID token, in the form in which the library asks for one."""

    def __init__(self, token: Sensitive) -> None:
        self._token = token

    def get_subject_token(self, _context: object, _request: object) -> str:
        return self._token.reveal()


def _of_ci(settings: Settings, provider: str) -> Any:
    """Return credentials that change the ID token of a job for a token of Google Cloud."""
    place = f"//iam.googleapis.com/{provider.removeprefix('//iam.googleapis.com/')}"
    audience = settings.get("auth/audience") or f"https:{place}"
    token = id_token(settings, "auth/id_token", audience=audience)
    if token is None:
        raise KamalError(
            f"The workload identity provider {provider} of Google Cloud needs an ID token, and there is none",
            hint=how_to_get_one(settings, "auth/id_token"),
        )
    pool = import_extra("google.auth.identity_pool", extra="gcp")
    return pool.Credentials(
        place,
        "urn:ietf:params:oauth:token-type:jwt",
        "https://sts.googleapis.com/v1/token",
        subject_token_supplier=_Supplier(token),
        scopes=_SCOPES,
    )


def _identity(credentials: Any) -> str | None:
    """Return the service account, or the user, as far as the file of credentials names one."""
    names = (getattr(credentials, name, None) for name in ("service_account_email", "account"))
    return next((name for name in names if isinstance(name, str) and name), None)


def _credentials_file(settings: Settings) -> Path | None:
    """Return the file of the settings, else the one that `gcloud auth application-default login` writes.

    The library would find that too, and then start gcloud to ask for its project.
    """
    named = settings.get("auth/credentials_file")
    if named:
        return Path(named).expanduser()
    folder = settings.environment.get("CLOUDSDK_CONFIG")
    file = (Path(folder) if folder else Path.home() / ".config" / "gcloud") / _USERS_FILE
    return file if file.is_file() else None


def _request(settings: Settings) -> Any:
    """The HTTP of google-auth, with the authorities that are trusted elsewhere."""
    transport = import_extra("google.auth.transport.requests", extra="gcp")
    session = import_extra("requests", extra="gcp").Session()
    session.verify = authorities(settings.environment, settings.get("ca"))
    return transport.Request(session=session)


def _no_login(settings: Settings, file: Path | None) -> KamalError:
    if file is not None:
        return KamalError(
            f"{file} is no file of Google's credentials, or it is not there",
            hint=f"look at {settings.where('auth/credentials_file')}",
        )
    return KamalError(
        "Not logged in to Google Cloud",
        hint="run `gcloud auth application-default login`, or name a file of credentials in "
        "GOOGLE_APPLICATION_CREDENTIALS; a machine of Google Cloud needs a service account",
    )


def _refused(error: Any, errors: Any, settings: Settings, account: str | None) -> KamalError:
    """Return the error for a login that failed. The library's text may quote an answer: only known words are kept."""
    text = str(error)
    if "iam.serviceAccounts.getAccessToken" in text or "impersonated" in text:
        return KamalError(
            f"The login to Google Cloud may not act as {account or 'the service account of the credentials'}",
            hint="it needs `roles/iam.serviceAccountTokenCreator` on that service account (workload identities: "
            "`roles/iam.workloadIdentityUser`), and the API iamcredentials.googleapis.com",
        )
    code = re.search(r"\b(invalid_\w+|unauthorized_client|access_denied)\b", text)
    if code is None and isinstance(error, errors.TransportError):
        return KamalError(
            "Google's login servers cannot be asked",
            hint="look whether oauth2.googleapis.com can be reached from here, through the proxy if there is one, and "
            f"whether {settings.where('ca')} has its certificate authority",
        )
    where = settings.where("auth/credentials_file")
    return KamalError(
        f"Google refused the login{f': {code[1]}' if code else ''}",
        hint=f"the key in {where} was deleted, or this machine's clock is wrong; a user's login may have expired: "
        "`gcloud auth application-default login`; a workload identity's pool has to accept the token",
    )
