"""Values that a shell, a container or OpenSSH cannot take are refused; values of real files are not."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pykamal.config.validation.shell_rules import unclosed
from tests.config_catalogue import changed
from tests.config_world import loaded, refused

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("change", "path", "remedy"),
    [
        ("env: {clear: {'A B': x}}", "env/clear/A B", "without a space"),
        ("env: {'$(id)': x}", "env/$(id)", "character that a shell acts on"),
        ("env: {secret: ['A;B']}", "env/secret/0", "without a space"),
        ("env: {tags: {t: {clear: {'a`b': x}}}}", "env/tags/t/clear/a`b", "without a space"),
        ("labels: {'a;b': x}", "labels/a;b", "without a space"),
        ("labels: {-a: x}", "labels/-a", "without a dash at the beginning"),
        ("servers: {web: {hosts: [h], labels: {'a\"': x}}}", 'servers/web/labels/a"', "without a space"),
        ("servers: {web: {hosts: [h], options: {'mount type=x': true}}}", "servers/web/options/mount type=x", "colon"),
        ("servers: {web: {hosts: [h], options: {--cpus: 2}}}", "servers/web/options/--cpus", "without the dashes"),
        ("servers: {'a b': {hosts: [h]}, web: [h]}", "servers/a b", "as a container's name must be"),
        ("accessories: {'a/b': {image: i, host: h}}", "accessories/a/b", "as a container's name must be"),
        ("accessories: {db: {image: i, host: h, service: ../x}}", "accessories/db/service", "container's name"),
        ("accessories: {db: {image: -i, host: h}}", "accessories/db/image", "no dash at the beginning"),
        ("accessories: {db: {image: i, host: h, network: -n}}", "accessories/db/network", "no dash at the beginning"),
        ("accessories: {db: {image: i, host: h, files: [{local: a, remote: b, mode: -R}]}}", "mode", "such as 0640"),
        ("accessories: {db: {image: i, host: h, files: [{local: a, remote: b, owner: -R}]}}", "owner", "USER:GROUP"),
        ("logging: {options: {'a b': 1}}", "logging/options/a b", "without a space"),
        ("builder: {arch: amd64, args: {'A$B': 1}}", "builder/args/A$B", "without a space"),
        ("builder: {arch: amd64, secrets: ['A B']}", "builder/secrets/0", "without a space"),
        ("builder: {arch: amd64, context: --help}", "builder/context", "write ./ in front"),
        ("builder: {arch: amd64, driver: cloud --x}", "builder/driver", "without a dash"),
        ("builder: {arch: amd64, remote: 'ssh://-oProxyCommand=id'}", "builder/remote", "ssh://user@host"),
        ("builder: {arch: amd64, remote: 'ssh://me@-oProxyCommand=id'}", "builder/remote", "ssh://user@host"),
        ("builder: {arch: amd64, pack: {builder: -b}}", "builder/pack/builder", "no dash at the beginning"),
        ("image: -x", "image", "no dash at the beginning"),
        ("service: -x", "service", "a letter or a digit"),
        ("registry: {server: --x, username: u, password: p}", "registry/server", "no dash at the beginning"),
        ("proxy: {run: {options: {'a b': 1}}}", "proxy/run/options/a b", "without the dashes"),
        ("proxy: {run: {version: -v}}", "proxy/run/version", "no dash at the beginning"),
        ("servers: [-oProxyCommand=id]", "servers/0", "OpenSSH"),
        ("servers: [me@-oProxyCommand=id]", "servers/0", "OpenSSH"),
        ("servers: ['h;id']", "servers/0", "OpenSSH"),
        ("servers: [{'$(id)': t}]", "servers/0/$(id)", "OpenSSH"),
        ("servers: {web: {hosts: ['a b']}}", "servers/web/hosts/0", "OpenSSH"),
        ("accessories: {db: {image: i, host: -h}}", "accessories/db/host", "OpenSSH"),
        ("accessories: {db: {image: i, hosts: ['`h`']}}", "accessories/db/hosts/0", "OpenSSH"),
        ("ssh: {user: -oProxyCommand=id}", "ssh/user", "OpenSSH"),
        ("ssh: {user: 'a$IFS-oProxyCommand=id'}", "ssh/user", "OpenSSH"),
        ("ssh: {user: 'a -b'}", "ssh/user", "OpenSSH"),
        ("ssh: {user: 'a\\'}", "ssh/user", "OpenSSH"),
        ("ssh: {proxy: -oProxyCommand=id}", "ssh/proxy", "OpenSSH"),
        ("ssh: {proxy: 'a@b,-oProxyCommand=id'}", "ssh/proxy", "OpenSSH"),
        ("ssh: {proxy: 'a@-oProxyCommand=id'}", "ssh/proxy", "OpenSSH"),
        ("servers: {web: {hosts: [h], cmd: 'echo \"x'}}", "servers/web/cmd", "a double quote that is not closed"),
        ('accessories: {db: {image: i, host: h, cmd: "it\'s"}}', "accessories/db/cmd", "a single quote that is not"),
        ("ssh: {proxy_command: 'nc `x'}", "ssh/proxy_command", "a back-tick that is not closed"),
        ("aliases: {x: 'app exec \"ls'}", "aliases/x", "a quote that is not closed"),
    ],
)
def test_refused(change: str, path: str, remedy: str) -> None:
    """The place is named with file, line and column, and what to write instead; Ruby Kamal sends these as they are."""
    error = refused(changed(change))
    problems = [problem for problem in error.diagnostics if problem.location.setting.endswith(path)]
    assert any(remedy in problem.message for problem in problems), error.details
    line = changed(change).splitlines().index(change) + 1
    assert {
        (problem.location.position.file, problem.location.position.line)
        for problem in problems
        if problem.location.position
    } == {("config/deploy.yml", line)}


@pytest.mark.parametrize(
    "change",
    [
        "env: {clear: {discovery.type: single-node, 'Logging:Level': x, MY-VAR: 1, _X: 2, 7ZIP: 3}}",
        "env: {secret: [A, 'B:C', 'D:e-f.g/h']}",
        "labels: {traefik.http.routers.web.rule: 'Host(`a.com`) && PathPrefix(`/x`)', 'x.domains[0].main': a.com}",
        "labels: {'caddy.@ws.0_header': 'Connection *Upgrade*', com.example/team: shop, größe: 1, 'a=b': c}",
        "servers: {web: {hosts: [h], options: {add-host=a:10.0.0.1: true, cap-add: [A, B], v: ['a:b'], memory: 1g}}}",
        "servers: {web: [h], jobs_2: [h], a.b: [h], 'Z-1': [h]}",
        "servers: [10.0.0.1, '::1', '[::1]:2222', 'me@h:22', a-b.example.com, h_1, müller.example, '']",
        "servers: [{h: [t]}, {'me@h2': t}]",
        "accessories: {db: {image: 'ghcr.io/a/b:1@sha256:0ab', host: h, service: shop_db.1, network: host}}",
        "accessories: {db: {image: i, host: h, files: [{local: a, remote: /b, mode: '0640', owner: '999:999'}]}}",
        "accessories: {db: {image: i, host: h, files: [{local: a, remote: /b, mode: 'u=rw,g=r', owner: me}]}}",
        "accessories: {db: {image: i, host: h, directories: [{local: $HOME/a, remote: /b, mode: 0750}]}}",
        "builder: {arch: amd64, remote: 'ssh://me@h:2222', context: ., args: {A_B: x, c.d: y}}",
        "builder: {arch: amd64, remote: 'tcp://10.0.0.1:2375'}",
        "builder: {arch: amd64, driver: cloud acme/builder}",
        "builder: {arch: amd64, context: 'my app'}",
        "logging: {driver: gelf, options: {gelf-address: 'udp://1.2.3.4:1', tag: '{{.Name}} $A'}}",
        "proxy: {run: {registry: 'localhost:5000', repository: a/b, version: v1.0.0, options: {label: [a=b]}}}",
        "ssh: {user: deploy.er_1, proxy: 'root@gate:2222, me@[::1]:22'}",
        "ssh: {user: 'CORP\\deploy', proxy: gate}",
        "ssh: {user: machine$}",
        'ssh: {user: first last, proxy_command: "sh -c \'nc %h %p\' \\"a\'b\\""}',
        'servers: {web: {hosts: [h], cmd: "sh -c \'echo \\"$(date)\\"\' # don\'t"}}',
        'aliases: {x: \'app exec "ls -la"\', y: "app exec \'a \\"b\'"}',
    ],
)
def test_accepted(change: str) -> None:
    """Values of real files pass: dots, dashes, slashes and brackets in keys, anything at all in values."""
    loaded(changed(change))


def test_ruby_kamals_own_refusal_comes_first() -> None:
    """spec/config.md 2.4: the one message for scripts is Ruby Kamal's where it refuses the file too."""
    error = refused(changed("servers: [-h]\n@volumes: foo"))
    assert error.message == "volumes: should be an array"
    assert len(error.diagnostics) == 2


@pytest.mark.parametrize(
    ("line", "opened"),
    [
        ("a 'b' \"c\" `d` $(e) ${f} \\' \\\"", None),
        ("a 'b", "'"),
        ('a "b', '"'),
        ("a `b", "`"),
        ("a $(b", "$("),
        ('"$(echo "a\'b")"', None),
        ('"${x:-it\'s}"', None),
        ("${x:-'a'}", None),
        ("a # don't", None),
        ("a#don't", "'"),
        ("a # don't\nb '", "'"),
        ("echo $# it's", "'"),
        ("$(case x in a) echo;; esac)", None),
        ("$$(", None),
    ],
)
def test_quotes_that_stay_open(line: str, opened: str | None) -> None:
    """Nested as POSIX nests them: in `$(...)` everything begins anew, in double quotes a single one is a letter."""
    assert unclosed(line) == opened


@pytest.mark.process
@pytest.mark.parametrize("shell", ["dash", "bash"])
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(st.sampled_from("'\"$(){} #ax\\"), max_size=10), min_size=1, max_size=8))
def test_no_line_is_refused_that_a_shell_takes(shell: str, texts: list[str]) -> None:
    """A file that works is never refused: whenever quotes are said to be open, the shell says so too."""
    for text in texts:
        if unclosed(f"echo {text}") is not None:
            taken = subprocess.run([shell, "-n"], input=f"echo {text}".encode(), capture_output=True, check=False)
            assert taken.returncode != 0, text
