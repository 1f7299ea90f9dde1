"""Errors for the answers of AWS and the exceptions of botocore.

Their own words are shown only where they cannot hold a value: the answer to a wrong signature, for example, repeats the
session's token, and an unreadable answer of a metadata service is quoted whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pykamal.core.errors import DependencyError, KamalError, UnexpectedAnswer
from pykamal.core.source import excerpt
from pykamal.secrets.adapters.http_tls import ManagerUnreachable

Result = TypeVar("Result")

_WORDS: Final = 600
_DENIED: Final = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_NO_SUCH: Final = frozenset({"ResourceNotFoundException", "ParameterNotFound", "ParameterVersionNotFound"})
_UNKNOWN_KEY: Final = frozenset({"UnrecognizedClientException", "InvalidClientTokenId", "InvalidAccessKeyId"})
_SIGNATURE: Final = frozenset(
    {"SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"}
)
_CLOCK: Final = frozenset({"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"})
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_THROTTLED: Final = frozenset(
    {
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("TooManyRequestsException", "RequestLimitExceeded", "PriorRequestNotComplete", "LimitExceededException"),
    }
)
_REFUSED_TOKEN: Final = frozenset({"InvalidIdentityToken", "IDPRejectedClaim", "IDPCommunicationError"})
_KMS: Final = frozenset({"DecryptionFailure", "InvalidKeyId"})
_WRONG_NAME: Final = frozenset({"ValidationException", "InvalidParameterException", "InvalidParameterValue"})

_NOT_LOGGED_IN: Final = frozenset(
    {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "SSOError", "NoAuthTokenError"}
)
_CONFIGURATION: Final = frozenset(
    {
        *("ConfigNotFound", "ConfigParseError", "InvalidConfigError", "PartialCredentialsError", "InvalidRegionError"),
        *("UnknownCredentialError", "InvalidRetryConfigurationError", "InvalidIMDSEndpointError"),
    }
)
_UNREACHABLE: Final = {
    "ProxyConnectionError": "the proxy cannot be reached, or refuses",
    "SSLError": "its certificate is not trusted",
    "ConnectTimeoutError": "it cannot be connected to in time",
    "ReadTimeoutError": "it did not answer in time",
    "ConnectionClosedError": "it closed the connection without a whole answer",
    "EndpointConnectionError": "the name is unknown, or nothing answers there",
    "HTTPClientError": "there was no whole answer",
}
"""Reasons by exceptions of botocore, from the special to the general."""


class Refused(KamalError):
    """AWS does not give one of the secrets; others may be had."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, for the text of its error: the service, the action and the resource, and with which login."""

    service: str
    action: str
    resource: str = ""
    region: str | None = None
    profile: str | None = None
    region_setting: str = "AWS_REGION"
    ca_setting: str = "AWS_CA_BUNDLE"
    source: str = ""

    @property
    def request(self) -> str:
        return f"{self.action} of {self.resource}" if self.resource else self.action

    @property
    def login(self) -> str:
        """The command that logs in again."""
        return f"`aws sso login{self.option}`"

    @property
    def option(self) -> str:
        return f" --profile {self.profile}" if self.profile else ""


def translated(asked: Asked, work: Callable[[], Result]) -> Result:
    """Do what asks AWS, and raise each error of botocore as one of ours.

    The original is neither its cause nor its context: it may hold an answer.
    """
    try:
        return work()
    except KamalError:
        raise
    except Exception as error:  # the library is one of others, in which anything can go wrong
        failure = translate(error, asked)
    raise failure


def translate(error: Exception, asked: Asked) -> KamalError:
    """Return the error of ours for one of botocore."""
    kinds = {each.__name__ for each in type(error).__mro__}
    if "ClientError" in kinds:
        return _of_code(*_described(error), asked)
    for kind, reason in _UNREACHABLE.items():
        if kind in kinds:
            return _unreachable(error, kind, reason, asked)
    return _of_configuration(error, kinds, asked)


def _of_code(code: str, words: str, asked: Asked) -> KamalError:
    """Return the error for an answer with a code of AWS."""
    if code in _DENIED:
        return _denied(words, asked)
    if code in _NO_SUCH:
        place = f" ({asked.region})" if asked.region else ""
        return Refused(
            f"{asked.service}{place} has nothing by the name of {asked.resource}",
            details=_evidence(words),
            hint="look at the name, its version, the region and the account: `aws sts get-caller-identity"
            f"{asked.option}` shows the account",
        )
    if code == "InvalidRequestException" and "delet" in words:
        return Refused(
            f"{asked.resource} in {asked.service} is marked for deletion",
            hint=f"`aws secretsmanager restore-secret --secret-id {asked.resource}{asked.option}` brings it back",
        )
    if code in _KMS or code.startswith("KMS"):
        return _undecryptable(words, asked)
    if code in _WRONG_NAME or code == "InvalidRequestException":
        return Refused(
            f"{asked.service} does not take {asked.resource} for {asked.action}",
            details=_evidence(words),
            hint="look at the spelling of the names",
        )
    if code in _THROTTLED:
        return KamalError(
            f"{asked.service} limits the rate of requests, and did so for every attempt",
            hint="try again later; the limit is one of the account and the region, for everybody in it",
        )
    return _of_login(code, words, asked)


def together(failures: Sequence[Refused], service: str) -> Refused:
    """Return one error for all secrets that were refused."""
    first = failures[0]
    if len(failures) == 1:
        return first
    return Refused(
        f"{service} does not give {len(failures)} of the secrets",
        details=tuple(line for each in failures for line in (each.message, *each.details)),
        hint=first.hint,
    )


def _of_login(code: str, words: str, asked: Asked) -> KamalError:
    with_source = f" (credentials: {asked.source})" if asked.source else ""
    if code in _UNKNOWN_KEY:
        return KamalError(
            f"AWS does not know the access key, or its session{with_source}",
            hint="the key was deleted or switched off, or is of another partition: make a new one, or log in anew",
        )
    if code in _CLOCK or (code in _SIGNATURE and "expired" in words.lower()):
        return KamalError(
            "AWS refuses the time of the request: the clock of this machine is wrong", hint="set it: `timedatectl`"
        )
    if code in _SIGNATURE:
        return KamalError(
            f"AWS refuses the signature: the secret access key does not fit the access key{with_source}",
            hint="copy both anew; a space or a line break behind the key in a variable of CI is a common cause",
        )
    if code in _EXPIRED:
        return KamalError(
            f"The session with AWS has expired{with_source}",
            hint=f"log in anew: {asked.login}; in CI, have the token made in the same job",
        )
    if code in _REFUSED_TOKEN:
        return KamalError(
            f"AWS refuses the identity token for {asked.action}",
            details=_evidence(words),
            hint="the account needs an identity provider for the token's issuer, and the token its audience "
            "(sts.amazonaws.com)",
        )
    return KamalError(
        f"{asked.service} answered {asked.request} with {code}",
        hint="https://docs.aws.amazon.com/ explains the code; an internal error of AWS passes",
    )


def _denied(words: str, asked: Asked) -> KamalError:
    if "kms" in words.lower() or "ciphertext" in words.lower():
        return _undecryptable(words, asked)
    if asked.action.startswith(("sts:", "sso:")):
        return KamalError(
            f"AWS denies {asked.request}",
            details=_evidence(words),
            hint="look at the trust policy of the role: its principal, its conditions (audience, subject, external id)",
        )
    return Refused(
        f"AWS denies {asked.action} on {asked.resource}",
        details=_evidence(words),
        hint=f"the policy of that identity needs the action {asked.action} on the resource",
    )


def _undecryptable(words: str, asked: Asked) -> KamalError:
    return Refused(
        f"AWS KMS did not decrypt {asked.resource}",
        details=_evidence(words),
        hint="the identity needs kms:Decrypt on the key, in its own policy and in the key's; the key must be enabled",
    )


def _unreachable(error: Exception, kind: str, reason: str, asked: Asked) -> ManagerUnreachable:
    fields = _fields(error)
    place = str(fields.get("endpoint_url") or fields.get("proxy_url") or "").partition("?")[0].rpartition("@")[2]
    hint = "look at the network, HTTPS_PROXY and NO_PROXY"
    if kind == "SSLError":
        hint = f"name the file of its certificate authority in {asked.ca_setting}; the system's are not asked"
    elif kind == "EndpointConnectionError":
        hint = f"look at the region ({asked.region}), at the network, HTTPS_PROXY and NO_PROXY"
    at = f" at {place}" if place else ""
    return ManagerUnreachable(f"{asked.service}{at} cannot be asked: {reason}", hint=hint)


def _of_configuration(error: Exception, kinds: set[str], asked: Asked) -> KamalError:
    of_profile = f" for the profile {asked.profile}" if asked.profile else ""
    if kinds & _NOT_LOGGED_IN:
        return KamalError(f"There is no SSO login{of_profile}, or it has expired", hint=f"log in: {asked.login}")
    if "LoginError" in kinds:
        return KamalError(
            f"There is no login{of_profile}, or it has expired", hint=f"log in: `aws login{asked.option}`"
        )
    if "MissingDependencyException" in kinds:
        return DependencyError(
            f"The credentials{of_profile} need a library that is not installed",
            details=_evidence(str(error)),
            hint="pip install 'botocore[crt]' where kamal is installed",
        )
    if "NoCredentialsError" in kinds:
        return KamalError(
            f"No credentials for AWS were found{of_profile}",
            hint="on a laptop, `aws configure sso` and `aws sso login`; in CI, a role by web identity "
            "(docs/secrets.md), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    if "NoRegionError" in kinds:
        return KamalError(
            f"No region of AWS is set{of_profile}",
            hint=f"set {asked.region_setting}, or `aws configure set region NAME{asked.option}`",
        )
    if "ProfileNotFound" in kinds:
        name = _fields(error).get("profile", asked.profile)
        return KamalError(
            f"AWS's shared configuration has no profile {name}",
            hint="`aws configure list-profiles` shows them; AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name files",
        )
    if "CredentialRetrievalError" in kinds or "MetadataRetrievalError" in kinds:
        return _not_given(error, asked)
    if "EOFError" in kinds:
        return KamalError(f"The role{of_profile} asks for an MFA code, and there is no terminal", hint=asked.login)
    if kinds & _CONFIGURATION or "ParamValidationError" in kinds:
        return KamalError(
            f"{asked.service} cannot be asked for {asked.resource or asked.action}",
            details=_evidence(str(error)),
            hint="look at ~/.aws/config, ~/.aws/credentials and the names of the secrets",
        )
    return not_understood(asked, type(error).__name__)


def not_understood(asked: Asked, kind: str = "") -> UnexpectedAnswer:
    """Return the error for an answer that is not as AWS documents it; `kind` is the exception that it led to."""
    return UnexpectedAnswer(
        f"{asked.service} answered {asked.request} with what cannot be understood{f' ({kind})' if kind else ''}",
        hint="look at the endpoint, the proxy, and whether botocore is up to date: pip install -U 'pykamal[aws]'",
    )


def _not_given(error: Exception, asked: Asked) -> KamalError:
    """Return the error for credentials that something else was to give: a program, or a metadata service."""
    provider = str(_fields(error).get("provider", "a metadata service"))
    # A program's complaint is its standard error. A metadata service's may quote credentials.
    words = str(_fields(error).get("error_msg", "")) if provider == "custom-process" else ""
    return KamalError(
        f"Credentials for AWS cannot be had from {_SOURCES.get(provider, provider)}",
        details=_evidence(words),
        hint="see whether they come by hand: `aws sts get-caller-identity" + f"{asked.option}`",
    )


_SOURCES: Final[Mapping[str, str]] = {
    "env": "AWS_ACCESS_KEY_ID of the environment",
    "shared-credentials-file": "~/.aws/credentials",
    "config-file": "~/.aws/config",
    "custom-process": "the program of credential_process",
    "sso": "the SSO login",
    "login": "the login of `aws login`",
    "assume-role": "the role of the profile",
    "assume-role-with-web-identity": "the role of the web identity token",
    "container-role": "the metadata service of the container",
    "iam-role": "the metadata service of the machine",
}


def source_of(method: str) -> str:
    """Return where credentials come from, in words."""
    return _SOURCES.get(method, method)


def _described(error: Exception) -> tuple[str, str]:
    """Return the code and the words of an answer; the status alone for a body that is no error document of AWS."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    code = str(response.get("Error", {}).get("Code", ""))
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9.]{0,99}", code):  # botocore has the status here, and the body as message
        return f"HTTP status {response.get('ResponseMetadata', {}).get('HTTPStatusCode')}", ""
    return code, str(response["Error"].get("Message", ""))


def _fields(error: Exception) -> Mapping[str, Any]:
    return getattr(error, "kwargs", {})


def _evidence(words: str) -> tuple[str, ...]:
    return tuple(excerpt(words.strip(), _WORDS).splitlines())
