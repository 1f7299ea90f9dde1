"""A loaded configuration: defaults, merging, derived values, and the quirks that are fixed."""

from __future__ import annotations

import pytest

from pykamal.config.models import AssetPath, Credential, Directory, Env, File, HostKeyPolicy, ProxyRun, RoleHost, Ssl
from pykamal.core.errors import ConfigurationError
from tests.config_catalogue import changed
from tests.config_world import World, loaded, refused

pytestmark = pytest.mark.unit


def test_defaults() -> None:
    """Section 3: every default of the root."""
    config = loaded(changed("service: app"))
    assert (config.deploy_timeout, config.drain_timeout, config.readiness_delay, config.retain_containers) == (
        30,
        30,
        7,
        5,
    )
    assert (config.hooks_path, config.secrets_path) == (".kamal/hooks", ".kamal/secrets")
    assert (config.ssh.user, config.ssh.port, config.ssh.log_level) == ("root", 22, "fatal")
    assert (config.sshkit.max_concurrent_starts, config.sshkit.pool_idle_timeout, config.sshkit.dns_retries) == (
        30,
        900,
        3,
    )
    assert config.builder.arches == ("amd64",)
    assert not config.builder.context_given
    assert config.registry.password == Credential(literal="pw")
    assert config.latest_image == "dhh/app:latest"
    assert [role.name for role in config.roles] == ["web"]


def test_root_proxy_reaches_the_primary_role_only() -> None:
    """Section 4.4: other roles are behind the proxy when they say so, with the root's settings under their own."""
    config = loaded(
        changed(
            "proxy: {host: a, app_port: 3000, healthcheck: {path: /up, interval: 2}}\n"
            "@servers: {web: [h1], jobs: [h2], api: {hosts: [h3], proxy: {host: b, healthcheck: {interval: 5}}}, "
            "without: {hosts: [h4], proxy: false}, with: {hosts: [h5], proxy: true}}"
        )
    )
    proxies = {role.name: role.proxy for role in config.roles}
    assert proxies["jobs"] is None
    assert proxies["without"] is None
    assert proxies["with"] == proxies["web"]
    api = proxies["api"]
    assert api is not None
    assert (api.hosts, api.app_port, api.healthcheck.path, api.healthcheck.interval) == (("b",), 3000, "/up", 5)


def test_primary_role_may_leave_the_proxy() -> None:
    """Section 4.4: `proxy: false` takes even the primary role out, and then the drain timeout stops its container."""
    (role,) = loaded(changed("servers: {web: {hosts: [a], proxy: false}}")).roles
    assert role.proxy is None
    assert role.stop_timeout == 30


def test_stop_timeouts() -> None:
    """Section 18.5: the role's, else the root's, else the drain timeout for roles without proxy, else none."""
    roles = "servers: {web: [a], jobs: [b], own: {hosts: [c], stop_timeout: 9}}"
    plain = {role.name: role.stop_timeout for role in loaded(changed(f"{roles}\n@drain_timeout: 0")).roles}
    assert plain == {"web": None, "jobs": 0, "own": 9}
    rooted = {role.name: role.stop_timeout for role in loaded(changed(f"{roles}\n@stop_timeout: 5")).roles}
    assert rooted == {"web": 5, "jobs": 5, "own": 9}


def test_env_of_a_host() -> None:
    """Section 5: root, role, then the host's tags in their order; secrets are united."""
    config = loaded(
        changed(
            "env: {clear: {TOP: root, ROLE: root}, secret: [A], "
            "tags: {t1: {TAG: one, TOP: tag}, t2: {clear: {TAG: two}, secret: [B]}}}\n"
            "@servers: {web: {hosts: [{h: [t1, t2, unknown]}, plain], "
            "env: {clear: {ROLE: role, THREADS: 5}, secret: [A, C]}}}"
        )
    )
    (role,) = config.roles
    assert role.env_on("plain") == Env({"TOP": "root", "ROLE": "role", "THREADS": 5}, ("A", "C"))
    assert role.env_on("h") == Env({"TOP": "tag", "ROLE": "role", "THREADS": 5, "TAG": "two"}, ("A", "C", "B"))
    assert list(role.env_on("h").clear) == ["TOP", "ROLE", "THREADS", "TAG"]


def test_tagged_hosts_without_env() -> None:
    """Section 22: tags without any env are empty, where Ruby Kamal crashes at deploy."""
    (role,) = loaded(changed("servers: [{h: t}]")).roles
    assert role.env_on("h") == Env()


def test_secret_references() -> None:
    """Section 5: NAME:SECRET splits at the first colon; a later entry of a name wins and keeps its place."""
    (role,) = loaded(changed("env: {secret: [A, B:C:D, 'A:X']}")).roles
    assert [(reference.name, reference.secret) for reference in role.env.secret_references] == [
        ("A", "X"),
        ("B", "C:D"),
    ]


def test_hosts_of_a_role() -> None:
    """Section 4.2: what is no text is dropped with a warning; a repeated host keeps its place and its last tags."""
    config = loaded(changed("servers: [b, 5, {a: t}, b, {a: [u, v]}]"))
    assert config.roles[0].hosts == (RoleHost("b"), RoleHost("a", ("u", "v")))
    assert any("5 is no host name and is ignored" in warning.message for warning in config.warnings)


def test_order_of_hosts() -> None:
    """Section 18.9: roles by name, then accessories in file order."""
    config = loaded(changed("servers: {web: [b, a], aaa: [z, a]}\n@accessories: {q: {image: i, host: q}}"))
    assert config.all_hosts == ("z", "a", "b", "q")
    assert config.app_hosts == ("z", "a", "b")
    assert config.proxy_hosts == ("b", "a")
    assert config.primary_host == "b"


def test_names_with_destination() -> None:
    """Section 18.2 and 18.3."""
    world = World(files={"config/deploy.staging.yml": "{}"})
    config = loaded(changed("servers: {web: [a]}"), destination="staging", world=world)
    (role,) = config.roles
    assert role.container_name("v9") == "app-web-staging-v9"
    assert config.service_with_destination == "app-staging"
    assert config.latest_image == "dhh/app:latest-staging"
    assert config.role_env_file(role) == ".kamal/apps/app-staging/env/roles/web.env"


def test_labels_and_logging_merge() -> None:
    """Sections 13 and 18.4: the role's are laid over the root's, whose order stays."""
    (role,) = loaded(
        changed(
            "labels: {a: 1, b: 2}\n@logging: {driver: local, options: {x: 1, y: 2}}\n"
            "@servers: {web: {hosts: [h], labels: {b: 3, c: 4}, logging: {options: {y: 9}}}}"
        )
    ).roles
    assert list(role.labels.items()) == [("a", 1), ("b", 3), ("c", 4)]
    assert (role.logging.driver, list(role.logging.options.items())) == ("local", [("x", 1), ("y", 9)])


def test_options_and_restart() -> None:
    """Section 4.3: `restart` is the policy and no option; lists stay lists."""
    (role,) = loaded(
        changed("servers: {web: {hosts: [h], options: {restart: always, p: ['1:1', '2:2'], cpus: 1.5}}}")
    ).roles
    assert role.restart == "always"
    assert role.options == {"p": ("1:1", "2:2"), "cpus": "1.5"}


@pytest.mark.parametrize(
    ("written", "asset_path"),
    [("/a", AssetPath("/a")), ("/a:ro:z", AssetPath("/a", "ro:z")), ("''", None)],
)
def test_asset_path(written: str, asset_path: AssetPath | None) -> None:
    """Section 18.12: mount options follow the first colon, and only proxied roles have assets."""
    config = loaded(changed(f"asset_path: {written}\n@servers: {{web: [a], jobs: [b]}}"))
    jobs, web = config.roles
    assert web.asset_path == asset_path
    assert jobs.asset_path is None


def test_ssl_forms() -> None:
    """Section 8.1: true, any map, and a custom certificate turn TLS on."""
    ssl = {
        written: loaded(changed(f"proxy: {{host: a, ssl: {written}}}")).roles[0].proxy
        for written in ("true", "false", "{}", "{certificate_pem: C, private_key_pem: K}")
    }
    settings = {written: proxy.ssl if proxy else None for written, proxy in ssl.items()}
    assert settings == {
        "true": Ssl(),
        "false": None,
        "{}": Ssl(),
        "{certificate_pem: C, private_key_pem: K}": Ssl("C", "K"),
    }


@pytest.mark.parametrize(
    ("written", "hosts", "prefixes"),
    [
        ("{host: 'a,b', path_prefix: '/x,/y'}", ("a", "b"), ("/x", "/y")),
        ("{hosts: [a, b], path_prefixes: [/z], path_prefix: /x}", ("a", "b"), ("/z",)),
        ("{host: '', path_prefix: ''}", (), ()),
    ],
)
def test_proxy_lists(written: str, hosts: tuple[str, ...], prefixes: tuple[str, ...]) -> None:
    """Section 8.1: `host` and `path_prefix` split at commas; the plural of a prefix wins."""
    proxy = loaded(changed(f"proxy: {written}")).roles[0].proxy
    assert proxy is not None
    assert (proxy.hosts, proxy.path_prefixes) == (hosts, prefixes)


def test_proxy_run_of_a_host() -> None:
    """Section 8.3: the first proxied role's run map counts, then accessories'; an empty map is none."""
    config = loaded(
        changed(
            "servers: {web: [a], api: {hosts: [b], proxy: {run: {http_port: 8080, log_max_size: ''}}}}\n"
            "@accessories: {m: {image: i, host: c, proxy: {run: {publish: false}}}, "
            "n: {image: i, host: d, proxy: {run: {}}}}"
        )
    )
    assert config.proxy_run_on("a") is None
    assert config.proxy_run_on("b") == ProxyRun(http_port=8080, log_max_size=None)
    assert config.proxy_run_on("c") == ProxyRun(publish=False)
    assert config.proxy_run_on("d") is None


def test_local_registry() -> None:
    """Section 6.3: no credentials, and the image defaults to the service."""
    config = loaded(changed("registry: {server: 'localhost:5555'}\n@image: -"))
    assert config.registry.local
    assert config.registry.local_port == 5555
    assert config.repository == "localhost:5555/app"


def test_empty_registry_server_keeps_the_slash() -> None:
    """Section 18.3: a server of `""` still adds the slash."""
    config = loaded(changed('registry: {server: "", username: u, password: p}'))
    assert config.absolute_image("v1") == "/dhh/app:v1"


@pytest.mark.parametrize(
    ("settings", "hosts"),
    [
        ("host: x", ("x",)),
        ("hosts: [x, y, x]", ("x", "y")),
        ("role: web", ("a", "b")),
        ("roles: [api, web]", ("c", "a", "b")),
        ("tag: write", ("a",)),
        ("tags: [write, writer]", ("a", "c")),
        ("tag: nowhere", ()),
    ],
)
def test_hosts_of_an_accessory(settings: str, hosts: tuple[str, ...]) -> None:
    """Sections 9.1 and 22: one selector; tags match exactly, and under role maps too."""
    servers = "servers: {web: [{a: write}, b], api: {hosts: [{c: [writer]}]}}"
    (accessory,) = loaded(changed(f"{servers}\n@accessories: {{db: {{image: i, {settings}}}}}")).accessories
    assert accessory.hosts == hosts


def test_tag_with_a_list_of_servers() -> None:
    """Section 22: a tag works with list-form servers, where Ruby Kamal crashes (row 104)."""
    (accessory,) = loaded(changed("servers: [{a: t}, b]\n@accessories: {db: {image: i, tag: t}}")).accessories
    assert accessory.hosts == ("a",)


def test_accessory() -> None:
    """Section 9: names, image with its own registry only, published port."""
    world = World(files={"config/deploy.staging.yml": "{}"})
    text = changed(
        "registry: {server: ghcr.io, username: u, password: p}\n"
        "@accessories: {db: {image: 'postgres:17', host: h, port: 5432, "
        "registry: {server: r.io, username: u, password: [P]}}, "
        "mail: {image: m, host: h, port: '127.0.0.1:1:2', service: post}}"
    )
    db, mail = loaded(text, destination="staging", world=world).accessories
    assert (db.service, db.image, db.published) == ("app-db", "r.io/postgres:17", "5432:5432")
    assert (mail.service, mail.image, mail.published) == ("post", "m", "127.0.0.1:1:2")
    assert db.registry is not None
    assert db.registry.password == Credential(secret="P")


def test_files_and_directories() -> None:
    """Sections 9.4 and 22: up to three parts, and an unquoted octal mode means what it says."""
    (db,) = loaded(
        changed(
            "accessories: {db: {host: h, "
            "files: ['a:/b:ro:z', {local: c.erb, remote: /d, mode: 0644, owner: '1:2'}, "
            "{local: e, remote: /f, mode: '0600'}], "
            "directories: ['data:/var/x', {local: /abs, remote: /y, mode: 0700, options: z}]}}"
        )
    ).accessories
    assert db.files == (
        File("a", "/b", options="ro:z"),
        File("c.erb", "/d", "0644", "1:2"),
        File("e", "/f", "0600"),
    )
    assert [file.template for file in db.files] == [False, True, False]
    assert db.directories == (Directory("data", "/var/x"), Directory("/abs", "/y", "0700", None, "z"))


def test_buildpacks_may_be_left_out() -> None:
    """Section 22: `pack` without `buildpacks` has none, where Ruby Kamal crashes at build."""
    pack = loaded(changed("builder: {arch: amd64, pack: {builder: b}}")).builder.pack
    assert pack is not None
    assert pack.buildpacks == ()


def test_ssh() -> None:
    """Section 10: a user is put in front of a jump host; one configuration file is a list of one."""
    ssh = loaded(changed("ssh: {proxy: bastion, config: ~/x, port: '2222', forward_agent: true}")).ssh
    assert (ssh.proxy, ssh.config, ssh.port, ssh.forward_agent) == ("root@bastion", ("~/x",), 2222, True)
    assert loaded(changed("ssh: {config: false}")).ssh.config is False


@pytest.mark.parametrize("section", ["", "ssh: {user: app}", "ssh: {forward_agent: false}"])
def test_the_agent_is_not_forwarded_by_default(section: str) -> None:
    """Ruby Kamal forwards it; here a host gets it by `ssh/forward_agent: true` alone (docs/differences.md)."""
    assert loaded(changed(section)).ssh.forward_agent is False


@pytest.mark.parametrize(
    ("limit", "size"), [("3", 3), ("'3'", 3), ("25%", 1), ("'33%'", 2), ("100%", 7), ("0%", 1), ("0", 1)]
)
def test_boot_limit(limit: str, size: int) -> None:
    """Section 12: numbers and percentages of all hosts, rounded down, at least one."""
    assert loaded(changed(f"boot: {{limit: {limit}}}")).boot.group_size(7) == size


def test_unusable_boot_limit() -> None:
    """Section 12: what is neither a number nor a percentage loads, with a warning, and is refused when it is needed."""
    boot = loaded(changed("boot: {limit: 1.5}")).boot
    with pytest.raises(ConfigurationError, match=r"boot/limit: 1\.5 is neither a number of hosts nor a percentage"):
        boot.group_size(4)


def test_unusable_values_are_warned_about() -> None:
    """Section 22: accepted like Ruby Kamal accepts it, with a warning that says where."""
    warnings = loaded(
        changed("boot: {limit: foo}\n@servers: [{a: nope}]\n@accessories: {db: {host: h, files: [lonely]}}")
    ).warnings
    assert [str(warning) for warning in warnings] == [
        "config/deploy.yml:5:10: host a has the tag nope, which env/tags does not define",
        "config/deploy.yml:7:37: accessories/db/files has an entry without a path inside the container",
        "config/deploy.yml:6:15: boot/limit is neither a number nor a percentage; nothing can be booted with it",
    ]


def test_own_key_space() -> None:
    """`x-pykamal` holds this tool's settings; it is validated, other `x-` keys are not."""
    config = loaded(changed("x-pykamal: {ssh: {host_key_policy: pinned, known_hosts: .kamal/hosts}}\n@x-other: [1]"))
    assert config.extension.host_key_policy is HostKeyPolicy.PINNED
    assert config.extension.known_hosts == ".kamal/hosts"
    assert loaded(changed("x-pykamal: {}")).extension.host_key_policy is HostKeyPolicy.ACCEPT_NEW


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("x-pykamal: {nope: 1}", "x-pykamal: unknown key: nope"),
        (
            "x-pykamal: {ssh: {host_key_policy: lax}}",
            "x-pykamal/ssh/host_key_policy: should be strict, accept-new or pinned",
        ),
        ("x-pykamal: {ssh: []}", "x-pykamal/ssh: should be a hash"),
        ("x-pykamal: {ssh: {known_hosts: 5}}", "x-pykamal/ssh/known_hosts: should be a string"),
    ],
)
def test_own_key_space_is_strict(change: str, message: str) -> None:
    """A wrong setting of ours is refused like any other."""
    assert refused(changed(change)).message == message


def test_raw_is_the_merged_document() -> None:
    """`raw` has the merged files as plain data."""
    world = World(files={"config/deploy.x.yml": "image: other"})
    assert loaded(changed("x-a: {b: [1]}"), destination="x", world=world).raw == {
        "service": "app",
        "image": "other",
        "registry": {"username": "user", "password": "pw"},
        "builder": {"arch": "amd64"},
        "servers": ["1.1.1.1"],
        "x-a": {"b": [1]},
    }
