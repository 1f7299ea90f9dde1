"""Configurations by the thousand, for comparing this tool with Ruby Kamal: every key with every kind of value, several
such changes at once, and whole files of everyday and odd settings, with destinations.

What spec/config.md 21 lists as new in 2.12 is left out; so are tags of accessories, which section 22 says to repair.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final

import yaml

from pykamal.config.schema import bundle, resolved
from tests.parity.oracle_batch import Case

Tree = dict[Any, Any]
Path = tuple[str | int, ...]

_BASE: Final[Tree] = {
    "service": "app",
    "image": "dhh/app",
    "registry": {"username": "u", "password": "p"},
    "builder": {"arch": "amd64"},
    "servers": ["1.1.1.1"],
}
_NEW_IN_2_12: Final = {"output", "forward_agent", "stop_timeout"}
_LEFT_OUT: Final = {*_NEW_IN_2_12, "tag", "tags", "x-pykamal", "restart"}
_VALUES: Final = (
    *("~", "", "''", '" "', "a", "5", "0", "-1", "1.5", ".inf", ".nan", "true", "no", ":sym", "2024-01-01"),
    *("2024-01-01 10:00:00", "12:30", "0644", "1e3", "1_000", "é", "a b", '"5"', '"true"', "web"),
    *("[]", "[a]", "[a, b]", "[[a]]", "[~]", "[5]", "[no]", "[:a]", "[{a: b}]", "[web]"),
    *("{}", "{a: b}", "{a: }", "{a: [b]}", "{web: [a]}", "{hosts: [a]}"),
    *("!!str 5", "!!binary aGk=", "!foo x", "!foo '5'", "!!float 1"),
)
_BELOW: Final[tuple[Path, ...]] = (
    *(("servers", "web"), ("servers", 0), ("servers", 0, "h"), ("servers", 0, "h", 0), ("servers", "web", "hosts", 0)),
    *(("servers", "web", "env", "A"), ("servers", "web", "labels", "l"), ("servers", "web", "options", "o")),
    *(("env", "A"), ("env", "clear", "A"), ("env", "secret", 0), ("env", "tags", "t"), ("env", "tags", "t", "A")),
    *(("env", "tags", "t", "clear", "A"), ("labels", "a"), ("volumes", 0), ("aliases", "foo"), ("x-foo",)),
    *(("accessories", "db"), ("accessories", "db", "hosts", 0), ("accessories", "db", "roles", 0)),
    *(
        ("accessories", "db", "files", 0),
        ("accessories", "db", "files", 0, "mode"),
        ("accessories", "db", "labels", "x"),
    ),
    *(
        ("accessories", "db", "directories", 0),
        ("accessories", "db", "volumes", 0),
        ("accessories", "db", "options", "x"),
    ),
    *(("accessories", "db", "registry", "password", 0), ("registry", "username", 0), ("registry", "password", 0)),
    *(
        ("builder", "args", "x"),
        ("builder", "arch", 0),
        ("builder", "secrets", 0),
        ("builder", "pack", "buildpacks", 0),
    ),
    *(("proxy", "hosts", 0), ("proxy", "path_prefixes", 0), ("proxy", "ssl", "foo"), ("proxy", "run", "options", "x")),
    *(("proxy", "run", "bind_ips", 0), ("logging", "options", "x"), ("ssh", "keys", 0), ("ssh", "config", 0)),
    ("hooks_output", "pre-deploy"),
)


def every_key_with_every_value() -> Iterator[Case]:
    """One change of the smallest valid file at a time."""
    for path in _paths():
        for value in _VALUES:
            yield _case(_changed(_base_for(path), path, value))


def several_changes(seed: int, count: int) -> Iterator[Case]:
    """Files in which several things may be wrong: which one does Ruby Kamal name?"""
    random, paths = Random(seed), _paths()
    for _ in range(count):
        tree = deepcopy(_BASE)
        if random.random() < 0.6:
            tree["servers"] = {"web": {"hosts": ["h1"]}}
        if random.random() < 0.5:
            tree["accessories"] = {"db": {"image": "i", "host": "h"}}
        if random.random() < 0.2:
            tree = dict(random.sample(list(tree.items()), len(tree)))
        for _ in range(random.randint(2, 4)):
            path = random.choice(paths)
            if random.random() < 0.25:
                path = (*path[:-1], random.choice(("foo", "x-foo", "bar")))
            if len(path) > 2 and path[0] in ("accessories", "servers") and isinstance(path[1], str):
                path = (path[0], random.choice((path[1], path[1], "aa", "Z")), *path[2:])
            tree = _changed(tree, path, random.choice(_VALUES))
        yield _case(tree)


def whole_files(seed: int, count: int) -> Iterator[Case]:
    """Files of many settings, a third of them with a destination's."""
    for number in range(count):
        yield _WholeFile(Random(seed * 1_000_000 + number)).case()


def _paths() -> list[Path]:
    schema = bundle()
    definitions = schema["$defs"]
    found = list(_keys(schema, ()))
    found += _keys(definitions["servers"]["$defs"]["role"], ("servers", "web"))
    found += _keys(definitions["accessories"]["$defs"]["accessory"], ("accessories", "db"))
    return [path for path in [*found, *_BELOW] if not _LEFT_OUT.intersection(path[:1] + path[-1:])]


def _keys(node: Any, above: Path) -> Iterator[Path]:
    node = resolved(node)
    properties = node.get("properties") or node.get("then", {}).get("properties") or {}
    for key, setting in properties.items():
        yield (*above, key)
        if key not in ("accessories", "servers", *_LEFT_OUT):
            yield from _keys(setting, (*above, key))


def _base_for(path: Path) -> Tree:
    tree = deepcopy(_BASE)
    if path[:2] == ("servers", "web"):
        tree["servers"] = {"web": {"hosts": ["h1"]}}
    if path[0] == "accessories" and len(path) > 2:
        tree["accessories"] = {"db": {"image": "i", "host": "h"}}
        if path[2] in ("hosts", "role", "roles"):
            del tree["accessories"]["db"]["host"]
    return tree


def _changed(tree: Tree, path: Path, value: str) -> Tree:
    """The tree with the text of a value at a path; what is in the way is replaced."""
    tree = deepcopy(tree)
    node: Any = tree
    for step, following in zip(path, [*path[1:], None], strict=True):
        inner: Any = value if following is None else [] if isinstance(following, int) else {}
        if isinstance(step, int):
            node.extend("x" for _ in range(len(node), step + 1))
        present = node[step] if isinstance(step, int) else node.get(step)
        if following is None or not isinstance(present, type(inner)):
            node[step] = inner
        node = node[step]
    return tree


def _case(tree: Tree) -> Case:
    return Case({"config/deploy.yml": _text(tree).lstrip("\n")})


def _text(node: Any, indent: int = 0) -> str:
    """Block style around the texts of the values, which stand as they are."""
    margin = "  " * indent
    if isinstance(node, dict):
        lines = [f"{margin}{key}:{_text(value, indent + 1)}" for key, value in node.items()]
        return "\n" + "".join(lines) if lines else " {}\n"
    if isinstance(node, list):
        lines = [f"{margin}-{_text(item, indent + 1)}" for item in node]
        return "\n" + "".join(lines) if lines else " []\n"
    return f" {node}\n"


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


class _WholeFile:
    """One file, drawn at random. Names repeat often enough for hosts, roles and domains to meet."""

    _HOSTS: Final = ("h1", "h2", "h3", "10.0.0.1", "10.0.0.2", "::1", "a.b.c")
    _DOMAINS: Final = ("a.com", "b.com", "c.com", "", "a.com,b.com")
    _TAGS: Final = ("t", "u", "writer", "w")

    def __init__(self, random: Random) -> None:
        self._random = random

    def case(self) -> Case:
        files = {"config/deploy.yml": self._dumped(self._root())}
        destination = None
        if self._happens(0.35):
            destination = self._one("staging", "production")
            whole = self._root()
            chosen = self._random.sample(list(whole), self._random.randint(0, min(4, len(whole))))
            files[f"config/deploy.{destination}.yml"] = self._dumped({key: whole[key] for key in chosen})
        if self._happens(0.04):
            files[".kamal/hooks/pre-traefik-reboot"] = ""
        return Case(files, destination)

    def _dumped(self, tree: Tree) -> str:
        return yaml.dump(
            tree,
            Dumper=_WithoutAliases,
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=self._one(None, False, True),
            width=self._one(80, 1000),
        )

    def _happens(self, chance: float) -> bool:
        return self._random.random() < chance

    def _one(self, *values: Any) -> Any:
        return deepcopy(self._random.choice(values))

    def _some(self, chance: float, **settings: Any) -> Tree:
        return {key: value for key, value in settings.items() if self._happens(chance)}

    def _root(self) -> Tree:
        tree: Tree = {"service": "app" if self._happens(0.95) else self._one("App_1", "a b", "x.y"), "image": "a/b"}
        tree["registry"] = self._one(
            *[{"username": "u", "password": ["P"]}] * 3,
            *[{"server": "ghcr.io", "username": ["U"], "password": ["P"]}] * 3,
            *(
                {"server": "localhost:5000"},
                {"server": "localhost:"},
                {"server": "localhost"},
                {"server": "localhost$"},
            ),
        )
        if "username" not in tree["registry"] and self._happens(0.5):
            del tree["image"]
        tree["builder"] = self._builder()
        if self._happens(0.3):
            tree["servers"] = self._hosts()
        elif self._happens(0.93):
            names = ["web", *(self._one("web", "jobs", "api", "Z", "a-b") for _ in range(self._random.randint(0, 3)))]
            tree["servers"] = {name: self._role() for name in names}
        if self._happens(0.35):
            names = [self._one("db", "redis", "s3") for _ in range(self._random.randint(1, 3))]
            tree["accessories"] = {name: self._accessory() for name in names}
        tree |= self._some(0.35, proxy=self._proxy(), env=self._env(root=True), logging=self._logging())
        tree |= self._some(
            0.08,
            primary_role=self._one("web", "api", "jobs"),
            allow_empty_roles=self._one(True, False),
            retain_containers=self._one(0, 1, 5, -1),
            minimum_version=self._one("2.0", "2.11.0", "3", "v2", "2.10.0.rc1", "1.0-beta", ""),
            require_destination=self._one(True, False),
            sshkit=self._some(0.5, max_concurrent_starts=0, pool_idle_timeout=1, dns_retries=-1),
            aliases={self._one("a", "b-c", "X", "deploy", "help"): "app exec"},
            hooks_output=self._one("quiet", "loud", True, {"pre-build": "quiet"}, {"x": "verbose", "y": "loud"}, {}),
            volumes=self._one([], ["a:b", "$PWD/x:/y", 5]),
            labels={"a": self._one(1, "x", True)},
            boot=self._one({"limit": 1}, {"limit": "25%", "wait": 1}, {}, {"parallel_roles": True}),
            ssh=self._ssh(),
            **{"x-foo": self._one(1, {"a": [1]}, None), "foo": 1},
        )
        if self._happens(0.3):
            tree = dict(self._random.sample(list(tree.items()), len(tree)))
        return tree

    def _builder(self) -> Tree:
        return {
            "arch": self._one("amd64", "arm64", ["amd64", "arm64"], ["amd64"]),
            **self._some(
                0.12,
                remote=self._one("ssh://a@b", "tcp://x:1", "docker-container://r", "ssh://a b", "", "ssh://u@h:22"),
                local=self._one(True, False),
                cache=self._one({"type": "gha"}, {"type": "registry", "image": "x"}, {}, {"type": "x"}, {"type": ""}),
                pack=self._one({"builder": "x"}, {"builder": "x", "buildpacks": ["a"]}, {}),
                args={"A": self._one(1, True, None, "x", "", 2.0), "B": self._one([1], {"a": 1})},
            ),
        }

    def _hosts(self) -> list[Any]:
        fewest = 0 if self._happens(0.1) else 1
        return [self._host() for _ in range(self._random.randint(fewest, 3))]

    def _host(self) -> Any:
        name = self._one(*self._HOSTS)
        tags = self._random.sample(self._TAGS, self._random.randint(0, 3))
        return self._one(name, name, name, name, {name: self._one(*self._TAGS)}, {name: tags}, self._one(5, True, name))

    def _role(self) -> Any:
        if self._happens(0.4):
            return self._hosts()
        role: Tree = {} if self._happens(0.05) else {"hosts": self._hosts()}
        return role | self._some(
            0.2,
            proxy=self._one(True, False, self._proxy(), self._proxy()),
            cmd="bin/x",
            env=self._env(),
            logging=self._logging(),
            labels={self._one("a", "b", "a", "b", "service"): self._one("x", 5)},
            options={"cpus": self._one(1, "2"), "v": ["a", "b"]},
            asset_path="/x:ro",
        )

    def _accessory(self) -> Tree:
        accessory: Tree = {"image": "mysql:8"} if self._happens(0.9) else {}
        accessory |= self._one(
            {"host": self._one(*self._HOSTS)},
            {"hosts": self._hosts()},
            {"role": self._one("web", "web", "web", "jobs", "nope")},
            {"roles": self._one(["web"], ["web"], ["web", "jobs", "zz"])},
        )
        if self._happens(0.02):
            accessory["host"] = "h9"
        return accessory | self._some(
            0.18,
            proxy=self._one(self._proxy(), self._proxy(), {}, False, True),
            port=self._one(3306, "127.0.0.1:1:2", "22:22"),
            env=self._env(),
            registry=self._one({}, {"server": "x", "username": "u", "password": ["P"]}, {"server": "x"}),
            files=[self._one("a:b", "a:b:ro", {"local": "a", "remote": "b", "mode": "0644", "owner": "x:y"})],
            directories=["a:/b", {"local": "/x", "remote": "/y"}],
            service=self._one("svc", "x-y"),
        )

    def _proxy(self) -> Tree:
        return {
            **self._some(0.6, host=self._one(*self._DOMAINS)),
            **self._some(
                0.25,
                hosts=self._one([], ["a.com"], ["b.com", "c.com"], ["c.com", 5], [{"x.com": "y"}]),
                ssl=self._one(
                    *(
                        True,
                        True,
                        False,
                        {},
                        {"certificate_pem": "A", "private_key_pem": "B"},
                        {"certificate_pem": "A"},
                    ),
                    *({"certificate_pem": "", "private_key_pem": "B"}, {"certificate_pem": None}),
                ),
                run=self._run(),
                app_port=self._one(3000, 80),
                healthcheck=self._one({}, {"path": "/x", "interval": 1}),
                path_prefix=self._one("/a", "/a,/b"),
            ),
        }

    def _run(self) -> Tree:
        return self._some(
            0.25,
            http_port=self._one(80, 8080),
            https_port=self._one(443, 8443),
            publish=self._one(True, False),
            bind_ips=self._one([], ["127.0.0.1"], ["::1", "1.1.1.1"]),
            metrics_port=9090,
            log_max_size=self._one("10m", "", 5),
        )

    def _env(self, *, root: bool = False) -> Tree:
        if self._happens(0.3):
            return {"A": self._one(1, True, "x"), "B": "y"}
        variables = self._some(
            0.6, clear={"A": self._one(1, "b"), "C": 1.5}, secret=self._one(["S", "S"], ["T", "U:V"])
        )
        if self._happens(0.4 if root else 0.04):
            tagged = self._one({"A": 1}, {"clear": {"A": 2}, "secret": ["S"]}, {})
            variables["tags"] = {self._one(*self._TAGS): tagged}
        return variables

    def _logging(self) -> Tree:
        value = self._one("10m", 3, True, None, "", ["a"], {"a": "b"}, "x y", "$A ${B}")
        return self._some(
            0.5,
            driver=self._one("json-file", "local", "", 5, True, False, " "),
            options={self._one("max-size", "max-file", "tag"): value},
        )

    def _ssh(self) -> Tree:
        return self._some(
            0.4,
            user=self._one("a", 5),
            port=self._one(22, "2222"),
            proxy=self._one("a@b", "b", ""),
            proxy_command=self._one("x", ""),
            keys=["a"],
            keys_only=True,
            config=self._one(True, False, "a", ["a"]),
            log_level=self._one("debug", "info", "loud"),
        )


def shown(case: Case) -> str:
    """A case for a person to try again."""
    return json.dumps({"files": {**case.files}, "destination": case.destination}, indent=1, default=repr)
