"""Diagnostics of files that cannot be read: deploy.yml, its templates, secrets files, SSH settings."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule, Severity

FILE_NOT_FOUND: Final = Rule(
    "file-not-found",
    "A configuration file does not exist",
    "The file that `-c` names, config/deploy.yml without it, or the destination's file that `-d` names is not there.",
    "Run `kamal` in the directory of the project, correct `-c` or `-d`, or let `kamal init` write a first file.",
    "Configuration file not found in /home/me/shop/config/deploy.yml",
)

FILE_UNREADABLE: Final = Rule(
    "file-unreadable",
    "A configuration or secrets file cannot be read",
    "The path is a directory, or this user has no permission to read it.",
    "Correct the path, or the permissions of the file.",
    "/home/me/shop/config/deploy.yml cannot be read: Permission denied",
)

FILE_TOO_LARGE: Final = Rule(
    "file-too-large",
    "A configuration file goes beyond a limit",
    "A file may have 1 MiB, 50,000 keys and values with aliases expanded, and 60 levels of mappings and lists. A file "
    "beyond that is no configuration, and reading it could take all memory.",
    "Take out what does not belong into the file. Look for aliases that multiply each other.",
    "more than 50000 keys and values, aliases expanded",
)

INVALID_ENCODING: Final = Rule(
    "invalid-encoding",
    "A file is not UTF-8 text",
    "The configuration and secrets files are read as UTF-8. The place is the first byte that is none.",
    "Save the file as UTF-8. Write binary values in base64.",
    "config/deploy.yml is not valid UTF-8",
)

NUL_BYTE: Final = Rule(
    "nul-byte",
    "A value holds a NUL byte",
    "No command and no environment variable can carry a NUL byte, so the value would end there.",
    "Encode the value, in base64 for instance, and let what uses it decode it.",
    'service: "a\\0b"',
)

YAML_SYNTAX: Final = Rule(
    "yaml-syntax",
    "The file is not valid YAML",
    "The parser stopped at the place shown. The cause often stands in the lines before it.",
    "Look there and just before it for a bracket or quote left open, a tab, or a line that is set in wrongly.",
    "servers: [192.0.2.1",
)

YAML_ALIAS: Final = Rule(
    "yaml-alias",
    "A YAML alias has no anchor",
    "`*name` repeats what `&name` marks. The anchor is missing, stands behind the alias, or contains it.",
    "Put the anchor before its aliases, in the same file.",
    "labels: *common",
)

YAML_TAG: Final = Rule(
    "yaml-tag",
    "A YAML tag asks for an object",
    "Tags such as `!ruby/object` make the parser create objects, which can run code. Only plain values are read.",
    "Remove the tag.",
    "service: !ruby/object:Kernel app",
)

YAML_KEY: Final = Rule(
    "yaml-key",
    "A key is a list or a mapping",
    "Keys are plain values. A `{{` that was meant for another template language reads as such a key.",
    "Write a plain key, or put the value in quotes.",
    "labels: {[a]: b}",
)

NOT_A_MAPPING: Final = Rule(
    "not-a-mapping",
    "The file is not a mapping",
    "A configuration file is a mapping of keys to values. This one is empty, a list or a single value.",
    "Write keys and values. `{}` is a file that sets nothing, for a destination without settings of its own.",
    "config/deploy.yml must be a mapping of keys to values",
)

TEMPLATE_ERROR: Final = Rule(
    "template-error",
    "A template cannot be rendered",
    "An expression between `<%` and `%>` is no valid Ruby, or it failed as it would have failed in Ruby.",
    "Correct the expression at the place shown.",
    "service: <%= ENV.fetch('NO_SUCH_VARIABLE') %>",
)

TEMPLATE_UNSUPPORTED: Final = Rule(
    "template-unsupported",
    "A template uses Ruby that is not evaluated here",
    "pykamal evaluates a subset of Ruby in templates; docs/configuration.md lists it. The expression is outside of it.",
    "Compute the value in a script or an environment variable and read it with ENV[...] or back-ticks. With "
    "KAMAL_ERB=ruby the machine's own Ruby renders the file.",
    "service: <%= 'app'.unpack1('a3') %>",
)

TEMPLATE_LIMIT: Final = Rule(
    "template-limit",
    "A template takes too long or grows too large",
    "The steps, the time and the size of a template are bounded, so that no file blocks the machine that reads it.",
    "Look for a loop without end at the place shown.",
    "service: <% loop { } %>",
)

COMMAND_REFUSED: Final = Rule(
    "command-refused",
    "A template runs a command, and none may run",
    "With `--safe`, and wherever a file is only looked at, no command of it runs. An expression that needs one fails.",
    "Give the value in a variable with `--pass-env`. Leave out `--safe` for a file that is trusted.",
    "service: <%= `git config service` %>",
)

TEMPLATE_IN_COMMENT: Final = Rule(
    "template-in-comment",
    "A template in a YAML comment fails",
    "ERB renders comments too, so Ruby Kamal stops there. pykamal inserts nothing and goes on.",
    "Remove the tag from the comment, or write `<%%` for a tag that is not evaluated.",
    "# <%= no_such_method %>",
    Severity.WARNING,
)

TEMPLATE_OUTPUT: Final = Rule(
    "template-output",
    "A template prints",
    "`puts` and the like write to the terminal, not into the file.",
    "Use `<%= ... %>` to insert a value, and remove what only prints.",
    "# <% puts 'looking up' %>",
    Severity.WARNING,
)

HIDDEN_VARIABLE: Final = Rule(
    "hidden-variable",
    "A template names a variable that --safe hides",
    "With `--safe` the files see no variable of the environment. The value may be another one than in a deploy.",
    "Show the variable to the files with `--pass-env NAME`.",
    "RAILS_MASTER_KEY is hidden by --safe; --pass-env RAILS_MASTER_KEY shows it to the file",
    Severity.WARNING,
)

MISSING_SECRET: Final = Rule(
    "missing-secret",
    "A secret is not defined",
    "deploy.yml names a secret that no secrets file of the destination has an entry for. `config validate` warns of "
    "it. A command that needs the secret fails.",
    "Add NAME=... to .kamal/secrets, or to the file of the destination.",
    "the secret RAILS_MASTER_KEY is not defined in .kamal/secrets-common or .kamal/secrets",
    Severity.WARNING,
)

MISSING_VALUE: Final = Rule(
    "missing-value",
    "A secrets file exports a name without a value",
    "`export NAME` alone is allowed only for a name that has its value above.",
    "Write NAME=VALUE in the file, or remove the line.",
    ".kamal/secrets:3:1: `export DATABASE_URL` has no value",
)

SECRET_COMMAND_FAILED: Final = Rule(
    "secret-command-failed",
    "A command in a secrets file failed",
    "The command between `$(` and `)` had another exit status than 0. As in Ruby Kamal, what it printed counts.",
    "Run the command by hand. It may need a login first.",
    ".kamal/secrets:2:1: the command of DATABASE_URL ended with exit status 1 and printed nothing",
    Severity.WARNING,
)

MISSING_SSH_CONFIG: Final = Rule(
    "missing-ssh-config",
    "A file of ssh/config does not exist",
    "`ssh/config` names an OpenSSH configuration file that is not there. Connections are made without it.",
    "Correct the path, or remove it.",
    "ssh: {config: [/etc/ssh/no_such_file]}",
    Severity.WARNING,
)

SSH_CONFIG_UNREADABLE: Final = Rule(
    "ssh-config-unreadable",
    "An OpenSSH configuration file cannot be used",
    "The file has a line that cannot be understood, or others than its owner may write it. Such a file can name "
    "programs to run, so OpenSSH refuses it too.",
    "Correct the file. `ssh -G HOST` shows how OpenSSH reads it. `ssh: {config: false}` reads none.",
    "Bad owner or permissions on /home/me/.ssh/config",
)
