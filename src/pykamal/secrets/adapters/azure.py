"""The adapter `azure`: Azure Key Vault over HTTP (docs/secrets.md).

A name is `VAULT/NAME`, or `VAULT/NAME/VERSION`. VAULT is the name of a vault, or its host in another cloud than the
public one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from pykamal.core.answers import mapping
from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.azure_login import LOGIN_SETTINGS, log_in
from pykamal.secrets.adapters.http import Answer, Client, requests_at_a_time
from pykamal.secrets.adapters.id_tokens import unverified_claims
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account, with_source
from pykamal.secrets.adapters.server_json import document, not_understood
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun

_SERVER: Final = "Azure Key Vault"
_VERSION: Final = "api-version=7.4"
_CLOUDS: Final[Mapping[str, str]] = {
    "vault.azure.net": "login.microsoftonline.com",
    "vault.azure.cn": "login.chinacloudapi.cn",
    "vault.usgovcloudapi.net": "login.microsoftonline.us",
}
"""The domains of vaults, and the servers of Microsoft Entra that give tokens for them."""

SETTINGS: Final = (
    Setting("vault", "the vault of names that have none", ("AZURE_KEY_VAULT",)),
    Setting("ca", "a file of the certificate authorities to trust", ("SSL_CERT_FILE",)),
    *LOGIN_SETTINGS,
)


@dataclass(frozen=True, slots=True)
class _Secret:
    host: str
    name: str
    version: str

    @property
    def vault(self) -> str:
        return self.host.partition(".")[0]

    @property
    def domain(self) -> str:
        return self.host.partition(".")[2]


class AzureKeyVault:
    needs_account: ClassVar[bool] = False
    settings: ClassVar[Sequence[Setting]] = SETTINGS

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._tokens: OncePerRun[Sensitive] = OncePerRun()

    def configured(self, settings: Settings) -> AzureKeyVault:
        return AzureKeyVault(settings)

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("azure", account, hint="it logs in as AZURE_CLIENT_ID, or as az does")
        names = {name: self._secret(name) for name in with_source(secrets, source)}
        vaults: dict[str, _Vault] = {}
        with ExitStack() as stack:
            for secret in names.values():
                if secret.host not in vaults:
                    vaults[secret.host] = stack.enter_context(closing(self._vault(secret)))
            pool = stack.enter_context(ThreadPoolExecutor(requests_at_a_time()))
            values = pool.map(lambda secret: vaults[secret.host].read(secret), names.values())
            return dict(zip(names, values, strict=True))

    def status(self, *, account: str | None) -> str | None:
        refuse_account("azure", account, hint="it logs in as AZURE_CLIENT_ID, or as az does")
        vault = self._settings.get("vault") or ""
        domain = vault.partition(".")[2] if vault.partition(".")[2] in _CLOUDS else next(iter(_CLOUDS))
        claims = unverified_claims(self._token(domain))
        names = (claims.get(name) for name in ("upn", "unique_name", "appid", "oid"))
        return next((name for name in names if isinstance(name, str)), self._settings.get("auth/client_id"))

    def _token(self, domain: str) -> Sensitive:
        settings = self._settings
        authority = settings.get("auth/authority") or f"https://{_CLOUDS[domain]}"
        return self._tokens.get(domain, lambda: log_in(settings, resource=f"https://{domain}", authority=authority))

    def _vault(self, secret: _Secret) -> _Vault:
        settings = self._settings
        token = self._token(secret.domain)
        client = Client(
            f"https://{secret.host}",
            manager=_SERVER,
            environment=settings.environment,
            ca=settings.get("ca"),
            ca_variable=settings.where("ca"),
        )
        return _Vault(client, token)

    def _secret(self, name: str) -> _Secret:
        """Take a name apart. The identifier of a secret, as the portal shows it, is understood too."""
        default = self._settings.get("vault")
        parts = name.split("/")
        if name.startswith("https://"):
            parts = name.removeprefix("https://").replace("/secrets/", "/", 1).split("/")
        elif len(parts) == 1 and default:
            parts = [default, name]
        vault, secret, version, *more = [*parts, "", ""]
        host = (vault if "." in vault else f"{vault}.vault.azure.net").lower()
        label, _, domain = host.partition(".")
        fitting = re.fullmatch(r"[0-9a-z-]+", label) and re.fullmatch(r"[0-9A-Za-z]*", version)
        if not secret or any(more) or domain not in _CLOUDS or not fitting:
            raise KamalError(
                f"{name} names no secret of Azure Key Vault",
                hint=f"write VAULT/NAME or VAULT/NAME/VERSION; VAULT is a name, or a host in {', '.join(_CLOUDS)}",
            )
        if not re.fullmatch(r"[0-9A-Za-z-]{1,127}", secret):
            hint = f"there are letters, digits and hyphens, as in {re.sub('[^0-9A-Za-z-]', '-', secret)}"
            raise KamalError(f"{secret} cannot be the name of a secret of Azure Key Vault", hint=hint)
        return _Secret(host, secret, version)


class _Vault:
    """One vault, for one token."""

    def __init__(self, client: Client, token: Sensitive) -> None:
        self._client = client
        self._token = token
        self.close = client.close

    def read(self, secret: _Secret) -> Sensitive:
        place = f"/secrets/{secret.name}" + (f"/{secret.version}" if secret.version else "")
        answer = self._ask(place)
        if answer.status != 200:
            raise self._refused(answer, secret)
        found = document(answer, _SERVER)
        value = found.get("value")
        if not isinstance(value, str):
            raise not_understood(_SERVER)
        _check_dates(mapping(found.get("attributes")), secret)
        return Sensitive(value)

    def _ask(self, place: str) -> Answer:
        headers = {"Authorization": f"Bearer {self._token.reveal()}"}
        return self._client.request("GET", f"{place}?{_VERSION}", headers=headers)

    def _refused(self, answer: Answer, secret: _Secret) -> KamalError:
        vault, name = secret.vault, secret.name
        if answer.status == 401:
            return _unknown_token(answer, vault)
        if answer.status == 403:
            return _forbidden(answer, secret)
        if answer.status == 404:
            if self._ask(f"/deletedsecrets/{name}").status == 200:
                return KamalError(
                    f"The secret {name} in the Azure Key Vault {vault} is deleted",
                    hint=f"bring it back: az keyvault secret recover --vault-name {vault} --name {name}",
                )
            version = f" of version {secret.version}" if secret.version else ""
            return KamalError(
                f"The Azure Key Vault {vault} has no secret {name}{version}",
                hint=f"see what there is: az keyvault secret list --vault-name {vault} --query '[].name'",
            )
        if answer.status == 429:
            return KamalError(
                f"The Azure Key Vault {vault} limits the rate of requests, and did so for every attempt",
                hint="try again later",
            )
        return KamalError(
            f"The Azure Key Vault {vault} answered with HTTP status {answer.status}",
            hint="see whether Azure has an incident: https://status.azure.com",
        )


def _unknown_token(answer: Answer, vault: str) -> KamalError:
    """Return the error for a token that the vault does not take; its challenge names the tenant that it wants."""
    challenge = answer.headers.get("www-authenticate", "")
    tenant = re.search(r'authorization="?https://[\w.]+/([0-9A-Za-z.-]+)', challenge)
    hint = "log in anew"
    if tenant is not None:
        hint = f"the vault is of the tenant {tenant[1]}: set AZURE_TENANT_ID, or `az login --tenant {tenant[1]}`"
    return KamalError(f"The Azure Key Vault {vault} does not take the token of the login", hint=hint)


def _forbidden(answer: Answer, secret: _Secret) -> KamalError:
    vault, name = secret.vault, secret.name
    code = mapping(mapping(document(answer, _SERVER).get("error")).get("innererror")).get("code")
    place = f"{name} in the Azure Key Vault {vault}"
    match code:
        case "SecretDisabled":
            enable = f"az keyvault secret set-attributes --vault-name {vault} --name {name} --enabled true"
            return KamalError(f"The secret {place} is disabled", hint=enable)
        case "ForbiddenByFirewall":
            return KamalError(
                f"The firewall of the Azure Key Vault {vault} does not let this machine in",
                hint=f"az keyvault network-rule add --name {vault} --ip-address ADDRESS, or deploy from its network",
            )
        case "ForbiddenByConnection":
            return KamalError(
                f"The Azure Key Vault {vault} takes no connections from public networks",
                hint="deploy from a network that has its private endpoint",
            )
        case "AccessDenied" | "ForbiddenByPolicy":
            policy = f"az keyvault set-policy --name {vault} --secret-permissions get --spn CLIENT_ID"
            return KamalError(f"No permission to read {place}: no access policy has it", hint=policy)
    role = "the role `Key Vault Secrets User` on the vault or the secret gives it; it takes some minutes to have effect"
    return KamalError(f"No permission to read {place}", hint=role)


def _check_dates(attributes: Mapping[str, Any], secret: _Secret) -> None:
    """Refuse a value outside of its dates, which the server hands out nevertheless."""
    now, place = time.time(), f"The secret {secret.name} in the Azure Key Vault {secret.vault}"
    change = f"az keyvault secret set-attributes --vault-name {secret.vault} --name {secret.name}"
    expires, begins = attributes.get("exp"), attributes.get("nbf")
    if isinstance(expires, int) and expires <= now:
        hint = f"set a new value, or another date: {change} --expires DATE"
        raise KamalError(f"{place} expired on {_date(expires)}", hint=hint)
    if isinstance(begins, int) and begins > now:
        hint = f"set another date: {change} --not-before DATE"
        raise KamalError(f"{place} is not valid before {_date(begins)}", hint=hint)


def _date(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "a date that is none"


ADAPTER: Final[Adapter] = AzureKeyVault()
