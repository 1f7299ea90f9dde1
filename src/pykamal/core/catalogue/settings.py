"""Diagnostics of settings: those that cannot be used, then those that are probably not what was meant."""

from __future__ import annotations

from typing import Final

from pykamal.core.diagnostics import Rule, Severity

UNKNOWN_KEY: Final = Rule(
    "unknown-key",
    "A key does not exist",
    "Neither Ruby Kamal nor pykamal has a setting of that name there. A misspelt setting would be without effect.",
    "Correct the spelling, or move the key to the section that has it. `kamal docs SECTION` lists every key.",
    "volums: [data:/data]",
)

KAMAL_1_KEY: Final = Rule(
    "kamal-1-key",
    "A key of Kamal 1 has gone",
    "Kamal 2 replaced Traefik by a proxy of its own, and renamed some settings.",
    "Write the setting that replaces it. `kamal upgrade` then moves the servers.",
    "stop_wait_time: 30",
)

WRONG_TYPE: Final = Rule(
    "wrong-type",
    "A value has the wrong type",
    "YAML types what stands without quotes: `30` is a number, `on` is a boolean, `2024-01-01` is a date.",
    "Write a value of the expected type. Put a text in quotes.",
    "deploy_timeout: '30'",
)

INVALID_VALUE: Final = Rule(
    "invalid-value",
    "A value is none of those that are allowed",
    "The value has the right type and cannot be used: it is no known choice, out of range, or has characters that a "
    "command line, a header or an address cannot have.",
    "Write one of the values that the message names. `kamal docs SECTION` describes the setting.",
    "ssh: {log_level: loud}",
)

INVALID_NAME: Final = Rule(
    "invalid-name",
    "A name has characters that it cannot have",
    "Names of services, roles, accessories, aliases and options become parts of container names and command lines.",
    "Use letters, digits, hyphens and underscores, with a letter or a digit at the beginning.",
    "service: shop.example.com",
)

RESERVED_NAME: Final = Rule(
    "reserved-name",
    "A name is taken",
    "An alias has the name of a command. The command would win, so the alias would never run.",
    "Choose another name.",
    "aliases: {deploy: app exec uptime}",
)

MISPLACED_KEY: Final = Rule(
    "misplaced-key",
    "A key cannot stand there",
    "`tags` belong to the `env` of the root. The labels `destination`, `role` and `service` are set by Kamal itself.",
    "Move the key, or choose another name.",
    "servers: {web: {hosts: [192.0.2.1], labels: {role: api}}}",
)

MISSING_KEY: Final = Rule(
    "missing-key",
    "A required setting is missing",
    "The setting has no default that could be right for every project, or another setting requires it.",
    "Add the setting. `kamal docs SECTION` shows an example.",
    "proxy: {ssl: true}",
)

MISSING_DESTINATION: Final = Rule(
    "missing-destination",
    "No destination was chosen",
    "`require_destination: true` keeps a command from acting on the wrong servers when `-d` is forgotten.",
    "Add `-d NAME`.",
    "require_destination: true",
)

NO_SERVERS: Final = Rule(
    "no-servers",
    "There is no server to deploy to",
    "A role without hosts, or a file without servers and accessories, would make a deploy that does nothing.",
    "List hosts under `servers`. Set `allow_empty_roles: true` if a role may be without.",
    "servers: {web: []}",
)

CONFLICTING_SETTINGS: Final = Rule(
    "conflicting-settings",
    "Two settings contradict each other",
    "Each setting alone would be right. Together they leave open what is meant. They may come from two files.",
    "Remove one of them.",
    "proxy: {host: a.example.com, hosts: [b.example.com]}",
)

UNKNOWN_ROLE: Final = Rule(
    "unknown-role",
    "A role is not defined",
    "`primary_role`, or the `role` or `roles` of an accessory, names a role that `servers` does not have.",
    "Correct the name, or define the role under `servers`.",
    "primary_role: worker",
)

UNKNOWN_PROVIDER: Final = Rule(
    "unknown-provider",
    "A secret names a provider that does not exist",
    "What stands before the first colon of a value of `x-pykamal/secrets/from` is a name of `x-pykamal/secrets/"
    "providers`.",
    "Correct the spelling, or describe the provider.",
    "x-pykamal: {secrets: {providers: {vault: {adapter: vault}}, from: {TOKEN: 'valt:kv/shop#token'}}}",
)

UNKNOWN_ADAPTER: Final = Rule(
    "unknown-adapter",
    "A provider of secrets has an adapter that cannot be used",
    "There is no adapter of that name, or the package that brings it is incomplete.",
    "Correct the spelling. docs/secrets.md lists the adapters.",
    "x-pykamal: {secrets: {providers: {vault: {adapter: valt}}}}",
)

PLAIN_SECRET: Final = Rule(
    "plain-secret",
    "A secret stands in deploy.yml",
    "deploy.yml is read by many and kept by Git. A secret setting of a provider has its value in an environment "
    "variable.",
    "Write the setting with `_from` and the name of the variable. Replace the secret: it was in the file.",
    "x-pykamal: {secrets: {providers: {vault: {adapter: vault, auth: {token: hvs.1}}}}}",
)

VERSION_TOO_OLD: Final = Rule(
    "version-too-old",
    "The project requires a newer Kamal",
    "`minimum_version` of deploy.yml is higher than the version of Kamal that pykamal implements.",
    "Update pykamal, or lower `minimum_version`.",
    "minimum_version: 100.0.0",
)

RENAMED_HOOK: Final = Rule(
    "renamed-hook",
    "A hook has a name of Kamal 1",
    "Kamal 2 runs `pre-proxy-reboot` and `post-proxy-reboot`. A hook of the former name would never run.",
    "Rename the file in .kamal/hooks.",
    "Found pre-traefik-reboot, these should be renamed to (pre|post)-proxy-reboot",
)

SSL_NEEDS_ONE_SERVER: Final = Rule(
    "ssl-needs-one-server",
    "Automatic TLS needs a single server",
    "Let's Encrypt asks one server for proof. With several servers behind one name it may ask another one.",
    "Give a certificate with `ssl: {certificate_pem: ..., private_key_pem: ...}`, or terminate TLS at a load balancer.",
    "servers: [192.0.2.1, 192.0.2.2]\nproxy: {ssl: true, host: shop.example.com}",
)

SSL_HOST_SHARED: Final = Rule(
    "ssl-host-shared",
    "Two roles want a certificate for one host name",
    "Each role gets its own certificate, and a name leads to one of them only.",
    "Give each role host names of its own.",
    "servers: {web: [192.0.2.1], api: {hosts: [192.0.2.2], proxy: true}}\nproxy: {ssl: true, host: shop.example.com}",
)

NEEDS_PYKAMAL_PROXY: Final = Rule(
    "needs-pykamal-proxy",
    "A setting needs pykamal's own proxy",
    "The settings below `x-pykamal/proxy` are features of pykamal's proxy; kamal-proxy does not have them.",
    "Set `engine: pykamal` beside them, or remove them.",
    "x-pykamal: {proxy: {connection_limit: 4}}",
)

UNCLOSED_QUOTE: Final = Rule(
    "unclosed-quote",
    "A command line has a quote that is not closed",
    "The shell of the server would wait for the end of the quote, or take what follows for a part of the text.",
    "Close the quote, or put a backslash before a quote that is meant as a character.",
    """servers: {web: {hosts: [192.0.2.1], cmd: "echo 'hello"}}""",
)

DUPLICATE_KEY: Final = Rule(
    "duplicate-key",
    "A key is written twice",
    "YAML takes the last one, so the first is without effect.",
    "Remove one of them.",
    "labels: {tier: web, tier: api}",
    Severity.WARNING,
)

AMBIGUOUS_NUMBER: Final = Rule(
    "ambiguous-number",
    "YAML reads a text as a number",
    "A value such as 22:22 is a number to base sixty in the YAML that Ruby reads, and a comma stands between digits.",
    "Put the value in quotes if it is a text.",
    "labels: {time: 22:22}",
    Severity.WARNING,
)

PLACEHOLDER_VALUE: Final = Rule(
    "placeholder-value",
    "A value of `kamal init` was not replaced",
    "`kamal init` writes examples for what only the project knows. A deploy with them fails or goes elsewhere.",
    "Write the project's own value.",
    "image: my-user/my-app",
    Severity.WARNING,
)

IGNORED_HOST: Final = Rule(
    "ignored-host",
    "A host is ignored",
    "YAML reads the entry as a number, a boolean or nothing, which Ruby Kamal leaves out of the hosts.",
    "Put the host in quotes, or remove the entry.",
    "servers: [192.0.2.1, 5]",
    Severity.WARNING,
)

UNKNOWN_TAG: Final = Rule(
    "unknown-tag",
    "A host has a tag that nothing defines",
    "Tags of hosts select variables below `env/tags` and accessories. This one is without effect.",
    "Correct the spelling, or define the tag below `env/tags`.",
    "servers: [{192.0.2.1: experiments}]",
    Severity.WARNING,
)

MISSING_CONTAINER_PATH: Final = Rule(
    "missing-container-path",
    "A file or directory of an accessory has no path in the container",
    "An entry is LOCAL:REMOTE. Without the second part nothing is mounted in the container.",
    "Add a colon and the path inside the container.",
    "accessories: {db: {image: mysql, host: 192.0.2.3, files: [config/my.cnf]}}",
    Severity.WARNING,
)

HIDDEN_ALIAS: Final = Rule(
    "hidden-alias",
    "An alias has the name of a command that only pykamal has",
    "The command wins, so that what a shell evaluates does not depend on the directory that it starts in.",
    "Rename the alias.",
    "aliases: {completion: app exec complete}",
    Severity.WARNING,
)

INLINE_KEY: Final = Rule(
    "inline-key",
    "A private key stands in deploy.yml",
    "An entry of `ssh/key_data` that names no secret is the key itself. Kamal 3 will not take it.",
    "Put the key into a secret, and the name of the secret into `ssh/key_data`.",
    "ssh: {key_data: [-----BEGIN OPENSSH PRIVATE KEY-----]}",
    Severity.WARNING,
)

UNUSABLE_VALUE: Final = Rule(
    "unusable-value",
    "A value is accepted and cannot be used",
    "Ruby Kamal accepts the value and goes on with another, or fails later.",
    "Write a value that the message names.",
    "ssh: {port: many}",
    Severity.WARNING,
)
