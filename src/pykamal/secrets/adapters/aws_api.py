"""Requests to AWS by botocore, which finds the credentials and signs: for the adapters `aws` and `aws-ssm`.

botocore reads the environment, the shared configuration, the SSO cache, web identity tokens and the metadata services
as the program `aws` does. Settings of ours come first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self, TypeVar

from pykamal.core.errors import KamalError, UnexpectedAnswer
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.aws_errors import Asked, not_understood, source_of, translated
from pykamal.secrets.adapters.extras import import_extra
from pykamal.secrets.adapters.http_addresses import server_address
from pykamal.secrets.adapters.settings import Setting, Settings
from pykamal.secrets.adapters.tool import OncePerRun, value_of
from pykamal.secrets.credentials import hidden

Part = TypeVar("Part")

AT_A_TIME: Final = 64
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 20
_ATTEMPTS: Final = 5

_ACTIONS: Final = {
    "assume-role": "sts:AssumeRole",
    "assume-role-with-web-identity": "sts:AssumeRoleWithWebIdentity",
    "sso": "sso:GetRoleCredentials",
}
"""The requests by which credentials of a kind are got."""

SETTINGS: Final = (
    Setting("region", "the region; else that of the profile", ("AWS_REGION", "AWS_DEFAULT_REGION")),
    Setting("profile", "a profile of the shared configuration, as `--account`; else `AWS_PROFILE`"),
    Setting("role", "the ARN of a role to assume, with the credentials that were found"),
    Setting("external_id", "the external id that the role's trust policy asks for"),
    Setting("session_name", "the name of the role's session in CloudTrail; else `kamal`", ("AWS_ROLE_SESSION_NAME",)),
    Setting("endpoint", "the URL of the service, as of a VPC endpoint; else `AWS_ENDPOINT_URL`"),
    Setting("ca", "a file of the certificate authorities to trust", ("AWS_CA_BUNDLE", "SSL_CERT_FILE")),
)


@dataclass(frozen=True, slots=True)
class Service:
    """A service of AWS: its name in botocore, which its actions have too, and its title."""

    name: str
    title: str


class Aws:
    """One service, for one profile, region and role. Threads may share it."""

    def __init__(self, service: Service, settings: Settings, profile: str | None) -> None:
        import_extra("botocore", extra="aws")
        self._service = service
        profile = profile or settings.get("profile")
        self._asked = Asked(
            service=service.title,
            action="the login",
            profile=profile or settings.environment.get("AWS_PROFILE"),
            region_setting=settings.where("region"),
            ca_setting=settings.where("ca"),
        )
        self._client: Any = translated(self._asked, lambda: self._connected(settings, profile))

    @property
    def region(self) -> str | None:
        return self._asked.region

    def _about(self, operation: str, resource: str) -> Asked:
        return replace(self._asked, action=f"{self._service.name}:{_camel(operation)}", resource=resource)

    def call(self, operation: str, resource: str, **parameters: object) -> dict[str, Any]:
        """Ask and return the answer. `resource` is what errors say that it was about."""
        about = self._about(operation, resource)
        answer = translated(about, lambda: getattr(self._client, operation)(**parameters))
        if not isinstance(answer, dict):
            raise self.misunderstood(operation, resource)
        return answer

    def pages(self, operation: str, resource: str, **parameters: object) -> Iterator[dict[str, Any]]:
        """Ask until there is no next page."""
        tokens: set[object] = set()
        while True:
            answer = self.call(operation, resource, **parameters)
            yield answer
            token = answer.get("NextToken")
            if not token:
                return
            if not isinstance(token, str) or token in tokens:
                raise self.misunderstood(operation, resource)
            tokens.add(token)
            parameters["NextToken"] = token

    def misunderstood(self, operation: str, resource: str) -> UnexpectedAnswer:
        """Return the error for an answer that is not as AWS documents it."""
        return not_understood(self._about(operation, resource))

    def identity(self) -> str | None:
        """Ask AWS as whom it knows the credentials."""
        about = replace(self._asked, service="AWS", action="sts:GetCallerIdentity")
        answer = translated(about, lambda: self._session.create_client("sts").get_caller_identity())
        arn = answer.get("Arn") if isinstance(answer, dict) else None
        return arn if isinstance(arn, str) else None

    def _connected(self, settings: Settings, profile: str | None) -> Any:
        session = self._session = _session(settings, profile)
        self._asked = replace(self._asked, region=session.get_config_variable("region"))
        self._log_in(session, settings)
        endpoint = settings.get("endpoint")
        if endpoint:
            server_address(endpoint, "AWS", settings.environment)
        return session.create_client(self._service.name, endpoint_url=endpoint)

    def _log_in(self, session: Any, settings: Settings) -> None:
        credentials = session.get_credentials()
        if credentials is None:
            raise import_extra("botocore.exceptions", extra="aws").NoCredentialsError
        method = str(credentials.method)
        self._asked = replace(self._asked, source=source_of(method))
        of_login = replace(self._asked, service="AWS", action=_ACTIONS.get(method, self._asked.action))
        frozen = translated(of_login, credentials.get_frozen_credentials)
        _hide(frozen.secret_key, frozen.token)
        if role := settings.get("role"):
            of_role = replace(of_login, action="sts:AssumeRole", resource=role)
            translated(of_role, lambda: _assume(session, role, settings))


class AwsAdapter:
    """The parts that the adapters of services of AWS share: settings, logins that are made once, the status."""

    needs_account: ClassVar[bool] = False
    credential_variables: ClassVar[Sequence[str]] = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    settings: ClassVar[Sequence[Setting]] = SETTINGS
    service: ClassVar[Service]

    def __init__(self, settings: Settings | None = None) -> None:
        self._settings = settings or Settings(SETTINGS)
        self._logins: OncePerRun[Aws] = OncePerRun()

    def configured(self, settings: Settings) -> Self:
        return type(self)(settings)

    def status(self, *, account: str | None) -> str | None:
        return self.logged_in(account).identity()

    def logged_in(self, account: str | None) -> Aws:
        return self._logins.get(account, lambda: Aws(self.service, self._settings, account))


def _session(settings: Settings, profile: str | None) -> Any:
    session = import_extra("botocore.session", extra="aws").Session(profile=profile)
    for key, variable in (("region", "region"), ("ca", "ca_bundle")):
        if value := settings.get(key):
            session.set_config_variable(variable, value)
    config = import_extra("botocore.config", extra="aws").Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=AT_A_TIME,
        user_agent_extra="kamal",
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
    )
    session.set_default_client_config(config)
    return session


def _assume(session: Any, role: str, settings: Settings) -> None:
    external_id = settings.get("external_id")
    given = session.create_client("sts").assume_role(
        RoleArn=role,
        RoleSessionName=settings.get("session_name") or "kamal",
        **({"ExternalId": external_id} if external_id else {}),
    )["Credentials"]
    _hide(given["SecretAccessKey"], given["SessionToken"])
    session.set_credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _hide(*credentials: str | None) -> None:
    for each in credentials:
        hidden(each or "")


def _camel(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))


# -- what a value is made of


@dataclass(frozen=True, slots=True)
class Name:
    """A name as it was given: what AWS calls it, and the key behind `#`; None without one."""

    given: str
    manager_name: str
    key: str | None


def parsed(names: Sequence[str]) -> list[Name]:
    """Read names. Raises `KamalError` for an empty one."""
    found = []
    for given in names:
        manager_name, separator, key = given.partition("#")
        if not manager_name:
            raise KamalError(f"{given or 'An empty text'} names nothing in AWS", hint="write NAME or NAME#KEY")
        found.append(Name(given, manager_name, key if separator else None))
    return found


def chunks(names: Sequence[Part], size: int) -> list[Sequence[Part]]:
    """Cut a list into lists of at most `size`."""
    return [names[first : first + size] for first in range(0, len(names), size)]


def json_object(text: str) -> Mapping[str, Any] | None:
    """Return a text that is an object of JSON as that object, and None for any other."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def key_of(name: Name, text: str) -> Sensitive | None:
    """Return the value of a key of a secret that is a JSON object; the whole text where the key is empty."""
    if not name.key:
        return Sensitive(text)
    found = json_object(text)
    if found is None:
        raise KamalError(
            f"{name.manager_name} in AWS has no key {name.key}: it is no JSON object",
            hint=f"leave #{name.key} out for the whole text",
        )
    if name.key not in found:
        raise KamalError(
            f"{name.manager_name} in AWS has no key {name.key}", hint=f"it has {', '.join(found) or 'no keys'}"
        )
    return value_of(found[name.key])
