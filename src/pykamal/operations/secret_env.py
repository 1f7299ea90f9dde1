"""The secret part of a container's environment."""

from __future__ import annotations

from pykamal.commands import env_file
from pykamal.config.models import Env
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context


def secret_env(context: Context, env: Env) -> Sensitive:
    """The text of the env file. Raises `SecretNotFound`."""
    return env_file.encode((each.name, context.secrets[each.secret]) for each in env.secret_references)
