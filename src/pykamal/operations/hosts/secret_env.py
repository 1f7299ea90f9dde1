"""Writes the secret part of a container's environment on a host (spec/cli.md 17)."""

from __future__ import annotations

from pykamal.commands import env_file, secret_delivery
from pykamal.commands.script import Step
from pykamal.config.models import Accessory, Env, Role
from pykamal.core.sensitive import Sensitive
from pykamal.operations.context import Context
from pykamal.operations.hosts import audit


def role_env_steps(context: Context, role: Role, host: str) -> tuple[Step, ...]:
    """Write the env file of a role's containers on a host. Raises `SecretNotFound`."""
    return _steps(context, context.config.role_env_file(role), role.env_on(host), role)


def accessory_env_steps(context: Context, accessory: Accessory) -> tuple[Step, ...]:
    """Write the env file of an accessory's containers. Raises `SecretNotFound`."""
    return _steps(context, context.config.accessory_env_file(accessory), accessory.env)


def secret_env(context: Context, env: Env) -> Sensitive:
    """The text of the env file. Raises `SecretNotFound`."""
    return env_file.encode((each.name, context.secrets[each.secret]) for each in env.secret_references)


def _steps(context: Context, path: str, env: Env, role: Role | None = None) -> tuple[Step, ...]:
    text = secret_env(context, env)
    lent = context.secrets.leases if env.secret_references else ()
    return (
        *(audit.step(context, str(lease), role) for lease in lent),
        *secret_delivery.age_steps(context.config),
        Step("make environment directory", secret_delivery.prepare(context.config, path.rpartition("/")[0])),
        Step("write environment", secret_delivery.write(context.config, path, text)),
    )
