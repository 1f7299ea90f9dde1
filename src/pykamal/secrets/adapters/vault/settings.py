"""The settings of the adapter `vault`, in the order of docs/secrets.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pykamal.core.errors import KamalError
from pykamal.secrets.adapters.settings import Setting

DEFAULT_ADDRESS: Final = "https://127.0.0.1:8200"


def _setting(key: str, about: str, name: str, *, secret: bool = False) -> Setting:
    return Setting(key, about, (f"BAO_{name}", f"VAULT_{name}"), secret=secret)


SETTINGS: Final = (
    _setting("address", "the server", "ADDR"),
    _setting("namespace", "the namespace of the login and of all paths", "NAMESPACE"),
    _setting("ca", "a file of the certificate authorities to trust", "CACERT"),
    _setting("ca_path", "a folder of such files, where there is no such file", "CAPATH"),
    _setting("tls_server_name", "the name that the server's certificate has, if not the address's", "TLS_SERVER_NAME"),
    _setting("client_certificate", "the file of a certificate of ours, where the server wants one", "CLIENT_CERT"),
    _setting("client_key", "the file of its key", "CLIENT_KEY"),
    _setting("auth/token", "the token", "TOKEN", secret=True),
    _setting("auth/approle/role_id", "the AppRole to log in with", "ROLE_ID"),
    _setting("auth/approle/secret_id", "its secret id", "SECRET_ID", secret=True),
    _setting(
        "auth/approle/wrapped_secret_id",
        "a wrapping token, good for one use, instead of the secret id",
        "WRAPPED_SECRET_ID",
        secret=True,
    ),
    _setting("auth/approle/mount", "where AppRole is mounted; `approle` without it", "APPROLE_MOUNT"),
    _setting("auth/jwt/role", "the role to log in with by an ID token of a CI system", "JWT_ROLE"),
    _setting("auth/jwt/token", "the ID token; GitHub is asked for one without it", "ID_TOKEN", secret=True),
    _setting("auth/jwt/audience", "for whom GitHub makes the ID token; the address without it", "JWT_AUDIENCE"),
    _setting("auth/jwt/mount", "where JWT is mounted; `jwt` without it", "JWT_MOUNT"),
    _setting("auth/kubernetes/role", "the role to log in with by a service account", "KUBERNETES_ROLE"),
    _setting("auth/kubernetes/token_file", "the file of its token, if not the usual one", "KUBERNETES_TOKEN_FILE"),
    _setting("auth/kubernetes/mount", "where Kubernetes is mounted; `kubernetes` without it", "KUBERNETES_MOUNT"),
)


def refuse_unchecked_tls(environment: Mapping[str, str]) -> None:
    """Raise `KamalError` where the environment asks not to check the server's certificate."""
    for name in ("BAO_SKIP_VERIFY", "VAULT_SKIP_VERIFY"):
        if environment.get(name, "").lower() in {"1", "t", "true"}:
            raise KamalError(
                f"{name} is set, but secrets are only read from a server whose certificate is checked",
                hint=f"unset {name}; VAULT_CACERT names the file of a private certificate authority",
            )
