"""The commands without a group."""

from __future__ import annotations

from pykamal.cli.options import (
    BUILDING,
    CONFIRMED,
    KEEP_DATA,
    ROLLING,
    UPGRADE_PROXY,
    Kind,
    Option,
    flag,
    text,
)
from pykamal.cli.table.row import CommandRow, Effect

CONFIG_OPTIONS = (
    flag("resolved", "Print the files after templating and merging"),
    text("explain", "KEY", "Explain a key such as proxy/app_port, with its value and where it was set"),
    flag("strict", "With `validate`: treat warnings as errors"),
    flag("safe", "Run no command of the files and hide the environment from them; for untrusted files"),
    Option(
        "pass-env", "With --safe: let templates read this variable; may be repeated", kind=Kind.REPEATED, value="NAME"
    ),
    text(
        "output",
        "FORM",
        "Readable text or JSON; with `validate` also SARIF, or annotations of GitHub or GitLab",
        default="text",
        choices=("text", "json", "sarif", "github", "gitlab"),
    ),
)

TOP_LEVEL = (
    CommandRow("audit", "Show the servers' audit logs", "operations.hosts.audit:show", Effect.LOOKS),
    CommandRow(
        "completion",
        "Print the completion script of a shell",
        "cli.handlers.completion:print_script",
        Effect.LOOKS,
        "bash|zsh|fish",
        needs_project=False,
        ours=True,
    ),
    CommandRow(
        "config",
        "Show the combined configuration, secrets redacted; or `validate` it, or print its JSON `schema` for editors",
        "cli.handlers.config:config",
        Effect.LOOKS,
        "[validate|schema]",
        CONFIG_OPTIONS,
    ),
    CommandRow(
        "deploy",
        "Build the image and switch the servers to it",
        "operations.deploy:deploy",
        Effect.DEPLOYS,
        options=(*BUILDING, UPGRADE_PROXY),
        uses_secrets=True,
    ),
    CommandRow(
        "details",
        "Show every container of the app, its proxy and accessories",
        "operations.details:details",
        Effect.LOOKS,
    ),
    CommandRow(
        "docs",
        "Show an annotated deploy.yml with every key, or one section of it",
        "cli.annotated_config:docs",
        Effect.LOOKS,
        "[SECTION]",
        needs_project=False,
    ),
    CommandRow(
        "explain",
        "Explain a diagnostic and its remedy; list all without an identifier",
        "cli.handlers.explain:explain",
        Effect.LOOKS,
        "[IDENTIFIER...]",
        needs_project=False,
        ours=True,
    ),
    CommandRow("help", "Show the commands, or one of them", "", Effect.LOOKS, "[COMMAND...]", needs_project=False),
    CommandRow(
        "init",
        "Write a first config/deploy.yml for this project, .kamal/secrets and sample hooks",
        "cli.handlers.init:init",
        Effect.CHANGES,
        options=(flag("bundle", "Add Ruby Kamal to the Gemfile and create a bin/kamal binstub"),),
        needs_project=False,
    ),
    CommandRow(
        "redeploy",
        "Deploy without touching the proxy",
        "operations.deploy:redeploy",
        Effect.DEPLOYS,
        options=BUILDING,
        uses_secrets=True,
    ),
    CommandRow(
        "remove",
        "Remove the app, its proxy and accessories with their data",
        "cli.handlers.removal:remove",
        Effect.LOCKED,
        options=(CONFIRMED, KEEP_DATA),
    ),
    CommandRow(
        "rollback",
        "Switch back to a deployed version, which may be abbreviated; list the versions without one",
        "operations.rollback:rollback",
        Effect.DEPLOYS,
        "[VERSION]",
        looks_without="version",
        uses_secrets=True,
    ),
    CommandRow(
        "setup",
        "Prepare new servers, boot accessories and deploy",
        "operations.deploy:setup",
        Effect.DEPLOYS,
        options=(*BUILDING, UPGRADE_PROXY),
        uses_secrets=True,
    ),
    CommandRow("tree", "Show the commands as a tree", "", Effect.LOOKS, needs_project=False),
    CommandRow(
        "upgrade",
        "Move servers from Kamal 1 to Kamal 2",
        "operations.upgrade:upgrade",
        Effect.LOCKED,
        options=(ROLLING, CONFIRMED),
        question="This will replace Traefik with kamal-proxy and restart all accessories",
        uses_secrets=True,
    ),
    CommandRow("version", "Show the version", "cli.entry:version", Effect.LOOKS, needs_project=False),
)
