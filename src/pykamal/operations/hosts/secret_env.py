"""Writes the secret part of a container's environment on a host (spec/cli.md 17)."""

from __future__ import annotations

from pykamal.commands import env_file, host_files, run_directory
from pykamal.commands.script import Step
from pykamal.config.models import Accessory, Env, Role
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context


def role_env_steps(context: Context, role: Role, host: str) -> tuple[Step, ...]:
    """Write the env file of a role's containers on a host. Raises `SecretNotFound`."""
    return _steps(context.config.role_env_file(role), secret_env(context, role.env_on(host)))


def accessory_env_steps(context: Context, accessory: Accessory) -> tuple[Step, ...]:
    """Write the env file of an accessory's containers. Raises `SecretNotFound`."""
    return _steps(context.config.accessory_env_file(accessory), secret_env(context, accessory.env))


def secret_env(context: Context, env: Env) -> Sensitive:
    """The text of the env file. Raises `SecretNotFound`."""
    return env_file.encode((each.name, context.secrets[each.secret]) for each in env.secret_references)


def _steps(path: str, text: Sensitive) -> tuple[Step, ...]:
    return (
        Step("make environment directory", run_directory.make_private(path.rpartition("/")[0])),
        Step("write environment", host_files.write(path, text, "0600")),
    )
