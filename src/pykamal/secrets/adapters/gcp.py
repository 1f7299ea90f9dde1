"""Google Cloud's Secret Manager by the program `gcloud` (spec/cli.md 16.3)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, with_source
from pykamal.secrets.adapters.tool import OncePerRun, Tool

_GCLOUD: Final = Tool("gcloud", "gcloud CLI", "https://cloud.google.com/sdk/docs/install")
_DEFAULT: Final = "default"
_URL_ALPHABET: Final = bytes.maketrans(b"-_", b"+/")


class GoogleSecretManager:
    needs_account: ClassVar[bool] = True
    credential_variables: ClassVar[Sequence[str]] = ("CLOUDSDK_AUTH_ACCESS_TOKEN",)

    def __init__(self) -> None:
        self._logins: OncePerRun[bool] = OncePerRun()

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        assert account is not None
        _GCLOUD.require()
        self._logins.get(None, _login)
        user, _, impersonated = account.partition("|")
        options = [f"--account={user}"] if user != _DEFAULT else []
        options += [f"--impersonate-service-account={impersonated}"] if impersonated else []
        return dict(_value(name, options) for name in with_source(secrets, source))

    def status(self, *, account: str | None) -> str | None:
        _GCLOUD.require()
        message = "Not logged in to gcloud"
        users = _GCLOUD.run("auth", "list", "--format=json", quiet=True).objects(message)
        wanted = (account or _DEFAULT).partition("|")[0]
        for each in users:
            if each.get("account") == wanted or (wanted == _DEFAULT and each.get("status", "ACTIVE") == "ACTIVE"):
                return str(each.get("account"))
        raise KamalError(message, hint="log in: gcloud auth login; in CI: gcloud auth login --cred-file=FILE")


def _login() -> bool:
    if not _logged_in():
        _GCLOUD.run("auth", "login", login=True)
        if not _logged_in():
            raise KamalError(
                "could not login to gcloud",
                hint="log in by hand: gcloud auth login; in CI: gcloud auth login --cred-file=FILE",
            )
    return True


def _logged_in() -> bool:
    return bool(_GCLOUD.run("auth", "list", "--format=json").json("could not login to gcloud"))


def _value(name: str, options: Sequence[str]) -> tuple[str, Sensitive]:
    """Read `secret`, `project/secret` or `project/secret/version`."""
    parts = name.split("/")
    project, secret, *version = parts if len(parts) > 1 else (_DEFAULT, name)
    key = f"{project}/{secret}"
    message = f"Could not read {key} from Google Secret Manager"
    words = ["secrets", "versions", "access", version[0] if version else "latest", f"--secret={secret}"]
    words += [f"--project={project}"] if project != _DEFAULT else []
    answer = _GCLOUD.run(*words, *options, "--format=json")
    answer.expect(message, hint="see what there is: gcloud secrets list, and as whom: gcloud auth list")
    payload = answer.object(message).get("payload")
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(data, str):
        raise answer.misunderstood(message, "has no payload.data")
    try:
        # gcloud writes the alphabet for URLs, its API the other one; both must come out whole.
        plain = base64.b64decode(data.encode().translate(_URL_ALPHABET), validate=True)
        return key, Sensitive(plain.decode())
    except UnicodeDecodeError:
        problem = "has a secret that is not UTF-8 text"
    except ValueError:
        problem = "has data that is not base64"
    raise answer.misunderstood(message, problem)


ADAPTER: Final[Adapter] = GoogleSecretManager()
