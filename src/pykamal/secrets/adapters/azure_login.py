"""Tokens of Microsoft Entra for Azure Key Vault, by the credentials of azure-identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.extras import import_extra, silence
from pykamal.secrets.adapters.http import authorities
from pykamal.secrets.adapters.id_tokens import id_token
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.credentials import hidden

_AUDIENCE: Final = "api://AzureADTokenExchange"
LOGIN_SETTINGS: Final = (
    Setting("auth/tenant_id", "the tenant of Microsoft Entra", ("AZURE_TENANT_ID",)),
    Setting("auth/client_id", "the application, or the managed identity that a user assigned", ("AZURE_CLIENT_ID",)),
    Setting("auth/client_secret", "its client secret", ("AZURE_CLIENT_SECRET",), secret=True),
    Setting(
        "auth/certificate/path",
        "a file with its certificate and private key, PEM or PKCS12",
        ("AZURE_CLIENT_CERTIFICATE_PATH",),
    ),
    Setting(
        "auth/certificate/password",
        "the password of that file",
        ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
        secret=True,
    ),
    Setting(
        "auth/federated_token_file",
        "a file with a token of Kubernetes or of CI, which the application trusts",
        ("AZURE_FEDERATED_TOKEN_FILE",),
    ),
    Setting("auth/id_token", "an ID token of CI; GitHub is asked for one without it", ("AZURE_ID_TOKEN",), secret=True),
    Setting(
        "auth/audience", f"for whom GitHub makes the ID token; `{_AUDIENCE}` without it", ("AZURE_ID_TOKEN_AUDIENCE",)
    ),
    Setting(
        "auth/authority", "the server of Microsoft Entra, if not that of the vault's cloud", ("AZURE_AUTHORITY_HOST",)
    ),
)
_TIME_LIMITS: Final[Mapping[str, int]] = {"connection_timeout": 10, "read_timeout": 30, "retry_total": 2}
_REASONS: Final[Mapping[str, tuple[str, str | None]]] = {
    "AADSTS7000215": ("the client secret is wrong", "auth/client_secret"),
    "AADSTS7000222": ("the client secret expired", "auth/client_secret"),
    "AADSTS700016": ("the tenant has no such application", "auth/client_id"),
    "AADSTS700027": ("the application does not have the certificate", "auth/certificate/path"),
    "AADSTS700211": ("no federated credential of the application fits the token's issuer", "auth/federated_token_file"),
    "AADSTS700213": (
        "no federated credential of the application fits the token's subject",
        "auth/federated_token_file",
    ),
    "AADSTS70021": ("no federated credential of the application fits the token", "auth/federated_token_file"),
    "AADSTS700024": ("the federated token expired", "auth/federated_token_file"),
    "AADSTS700082": ("the login of az expired", None),
    "AADSTS50173": ("the login of az was revoked", None),
    "AADSTS90002": ("there is no such tenant in this cloud", "auth/tenant_id"),
    "AADSTS900023": ("there is no such tenant in this cloud", "auth/tenant_id"),
    "AADSTS500011": ("the tenant does not have the service Key Vault", "auth/tenant_id"),
}


def log_in(settings: Settings, *, resource: str, authority: str) -> Sensitive:
    """Return a token for a resource.

    The settings choose the credential: a client secret, a certificate, a federated token. Without any of them it is a
    managed identity of this machine, or the login of a developer's tools. Raises `DependencyError`, and `KamalError`
    when there is no login or it is refused.
    """
    identity = import_extra("azure.identity", extra="azure")
    errors = import_extra("azure.core.exceptions", extra="azure")
    silence("azure", "msal")
    try:
        with _credential(identity, settings, authority) as credential:
            return hidden(credential.get_token(f"{resource}/.default").token)
    except errors.AzureError as error:
        lost = errors.ServiceRequestError, errors.ServiceResponseError
        if isinstance(error, errors.ClientAuthenticationError) and not isinstance(error.__cause__, lost):
            failure = _refused(str(error), settings)
        else:
            failure = KamalError(
                f"Microsoft Entra at {authority} cannot be asked",
                hint="look whether that server can be reached from here, through the proxy if there is one, and "
                f"whether {settings.where('ca')} has its certificate authority",
            )
    except (OSError, ValueError) as error:  # a file of the settings, or what stands in it
        reason = error.strerror if isinstance(error, OSError) else "a value or a file has not the right form"
        used = [settings.where(each.key) for each in LOGIN_SETTINGS if settings.get(each.key)]
        failure = KamalError(
            f"The settings of the login to Azure cannot be used: {reason}", hint=f"look at {', '.join(used)}"
        )
    raise failure  # here, where the library's error is no part of it: its text may have what a server repeated


def _credential(identity: ModuleType, settings: Settings, authority: str) -> Any:
    get = settings.get
    options: dict[str, object] = {
        "authority": authority,
        "connection_verify": authorities(settings.environment, get("ca")),
    }
    secret, certificate = get("auth/client_secret"), get("auth/certificate/path")
    federated = get("auth/federated_token_file")
    id_token_of_ci = None if secret or certificate or federated else _id_token_of_ci(settings)
    if not (secret or certificate or federated or id_token_of_ci):
        return identity.DefaultAzureCredential(
            managed_identity_client_id=get("auth/client_id"),
            exclude_environment_credential=True,
            exclude_workload_identity_credential=True,
            exclude_shared_token_cache_credential=True,
            exclude_visual_studio_code_credential=True,
            exclude_broker_credential=True,
            retry_connect=0,  # or a laptop, which has no metadata service, waits 4.8 seconds before az is asked
            **options,
        )
    for key in ("auth/tenant_id", "auth/client_id"):
        if not get(key):
            raise KamalError(f"The login to Azure lacks {key.removeprefix('auth/')}", hint=f"set {settings.where(key)}")
    options |= _TIME_LIMITS
    tenant, client = get("auth/tenant_id"), get("auth/client_id")
    if secret:
        return identity.ClientSecretCredential(tenant, client, secret, **options)
    if certificate:
        password = get("auth/certificate/password")
        return identity.CertificateCredential(tenant, client, certificate, password=password, **options)
    if id_token_of_ci:
        return identity.ClientAssertionCredential(tenant, client, id_token_of_ci.reveal, **options)
    return identity.WorkloadIdentityCredential(tenant_id=tenant, client_id=client, token_file_path=federated, **options)


def _id_token_of_ci(settings: Settings) -> Sensitive | None:
    """Return the ID token of a job. GitHub is asked where an application of a tenant is named to log in with it."""
    named = settings.get("auth/tenant_id") and settings.get("auth/client_id")
    if not named and not settings.get("auth/id_token"):
        return None
    return id_token(settings, "auth/id_token", audience=settings.get("auth/audience") or _AUDIENCE)


def _refused(text: str, settings: Settings) -> KamalError:
    """Return the error for a login that failed. The library's text may quote an answer: only known words are kept."""
    code = re.search(r"AADSTS\d+", text)
    if code is not None:
        reason, key = _REASONS.get(code[0], ("", None))
        words = f"{reason} ({code[0]})" if reason else code[0]
        explained = f"https://login.microsoftonline.com/error?code={code[0].removeprefix('AADSTS')} explains it"
        hint = f"look at {settings.where(key)}" if key else "run `az login`" if reason else explained
        return KamalError(f"Microsoft Entra refused the login: {words}", hint=hint)
    if "Unable to get authority configuration" in text:
        hint = f"look at {settings.where('auth/tenant_id')}, and at {settings.where('auth/authority')}"
        return KamalError("Microsoft Entra refused the login: there is no such tenant in this cloud", hint=hint)
    if "Please run 'az login'" in text:
        return KamalError("Not logged in to Azure: az has no login, or it expired", hint="run `az login`")
    tried = ", ".join(dict.fromkeys(re.findall(r"\b[A-Z][A-Za-z]*Credential(?=[:.])", text)))
    return KamalError(
        "Not logged in to Azure",
        details=(f"tried: {tried}",) if tried else (),
        hint="run `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and one of AZURE_CLIENT_SECRET, "
        "AZURE_CLIENT_CERTIFICATE_PATH, AZURE_FEDERATED_TOKEN_FILE and AZURE_ID_TOKEN (in GitHub a job with "
        "`permissions: {id-token: write}` needs none of these); a machine of Azure needs a managed identity",
    )
