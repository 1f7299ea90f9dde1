"""Diagnostics of secrets: what secrets files lose, and what does not resolve."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule, Severity

EATEN_DOLLAR: Final = Rule(
    "eaten-dollar",
    "A `$` in the output of a command is taken for a variable",
    "As in Ruby Kamal, variables are replaced in the output of `$(...)` too: a fetched value `pa$word` becomes `pa`, "
    "and `\\$` becomes `$`.",
    "Escape it: `PASSWORD=$(op read ... | sed 's/[$]/\\\\\\\\&/g')`. Or name the secret in `x-pykamal/secrets/from` of "
    "deploy.yml, where values stay as they are.",
    ".kamal/secrets:3:1: DATABASE_URL loses a `$` or what follows it: `$(...)` printed one, and it was read anew",
    Severity.WARNING,
)

UNSET_VARIABLE: Final = Rule(
    "unset-variable",
    "A secrets file refers to a variable that is not set",
    "A variable is one of the entries above it in the same file, or of the environment. One that is neither is empty, "
    "also one of another secrets file. In a command too: the shell never sees `$1`.",
    "Set the variable, or move the entry to the file. A `$` that is no variable is written `\\$`, or stands in single "
    "quotes.",
    ".kamal/secrets:2:1: REGISTRY_PASSWORD has `${REGISTRY_TOKEN}` that is not set, so nothing is there",
    Severity.WARNING,
)

SHELL_EXPANSION: Final = Rule(
    "shell-expansion",
    "A secrets file uses an expansion that only shells have",
    "Secrets files know `$NAME` and `${NAME}`. Of `${NAME:-default}` and its relatives, `${NAME` is replaced and the "
    "rest stays as text, in commands too.",
    "Write the value, or let a shell do it: `$(printenv NAME || echo default)`.",
    ".kamal/secrets:2:1: LOG_KEY has `${LOG_KEY...}` with more than a name in it, of which only the name counts",
    Severity.WARNING,
)

NO_COMMAND: Final = Rule(
    "no-command",
    "A `$(` in a secrets file is not taken for a command",
    "Outside of quotes a `#` begins a comment, inside of `$(...)` too: what is left has no closing parenthesis, and "
    "stays as text. So does a command that has `()` in it.",
    'Put the value into double quotes where the command has a `#`, as in `USER="$(op read op://Shop/a#b)"`, and leave '
    "`()` out of commands. A `$(` that is no command is written `\\$(`, or stands in single quotes.",
    ".kamal/secrets:2:1: SMTP_USER has a `$(` that is not taken for a command, and stays as text",
    Severity.WARNING,
)

PROGRAM_NOT_FOUND: Final = Rule(
    "program-not-found",
    "A command in a secrets file runs a program that is not installed",
    "The program is not on the PATH of this machine. The command prints nothing then, and the value is empty.",
    "Install the program where kamal runs, or correct its name.",
    ".kamal/secrets:2:1: DATABASE_URL runs op, which is not installed here",
    Severity.WARNING,
)

SECRETS_FILE_NOT_READ: Final = Rule(
    "secrets-file-not-read",
    "There are secrets files, and none of them is read",
    "With a destination, .kamal/secrets-common and .kamal/secrets.DESTINATION are read, and .kamal/secrets is not. "
    "Without one, .kamal/secrets-common and .kamal/secrets are.",
    "Rename the file: to .kamal/secrets-common for what all destinations share, else to .kamal/secrets.DESTINATION.",
    "no secrets file is read with -d staging: there is .kamal/secrets, not .kamal/secrets-common or "
    ".kamal/secrets.staging",
    Severity.WARNING,
)

UNRESOLVED_SECRET: Final = Rule(
    "unresolved-secret",
    "A secret cannot be fetched",
    "What a secrets file says of the secret failed: a manager refused or did not answer, or a command failed. "
    "`kamal secrets check` goes on and tells of all of them at once.",
    "Do what the evidence says. `kamal secrets doctor` shows which managers can be used here, and as whom.",
    ".kamal/secrets:2:1: DATABASE_URL cannot be fetched: Failed to login to 1Password",
)

EMPTY_SECRET: Final = Rule(
    "empty-secret",
    "A secret is empty",
    "A variable that is not set, or a command that printed nothing, left the value empty. `kamal secrets check` takes "
    "that for a failure; an entry that is written as `NAME=` is meant to be empty.",
    "Set the variable, or run the command by hand. Write `NAME=` for a value that is to be empty.",
    ".kamal/secrets:2:1: DATABASE_URL is empty",
)

SECRET_DEFINED_TWICE: Final = Rule(
    "secret-defined-twice",
    "A secret stands in a secrets file and in deploy.yml",
    "A name below `x-pykamal/secrets/from` comes from a secret manager. A line of a secrets file gives the same name a "
    "value, so nobody could tell which counts.",
    "Remove one of the two.",
    ".kamal/secrets:2: DATABASE_URL is defined here and in deploy.yml",
)

MANAGER_NOT_USABLE: Final = Rule(
    "manager-not-usable",
    "A secret manager cannot be used on this machine",
    "Its program or a Python package is missing, or nobody is logged in. `kamal secrets doctor` looks at every "
    "adapter; those that the project names count.",
    "Do what the message says: install what is missing, or log in.",
    ".kamal/secrets:1:1: 1password cannot be used here: 1Password CLI is not installed",
)
