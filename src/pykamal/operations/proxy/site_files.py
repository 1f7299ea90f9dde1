"""Files of the operator's machine that the proxy serves from: error pages and certificates (spec/cli.md 14.11)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pykamal.commands import assets, host_files, proxy, proxy_files
from pykamal.commands.script import Step
from pykamal.config.models import Config, Role
from pykamal.operations.context import Context


def error_page_steps(config: Config, version: str) -> Sequence[Step]:
    """Upload `4??.html` and `5??.html` to where the proxy, which is not root, may look; nothing when there are none."""
    if not config.error_pages_path:
        return ()
    folder = Path(config.error_pages_path)
    pages = sorted([*folder.glob("4??.html"), *folder.glob("5??.html")])
    if not pages:
        return ()
    target = f"{assets.error_pages_path(config)}/{version}"
    return (
        Step("make error pages directory", host_files.make_directory(target, mode="0755")),
        *(
            Step(
                f"upload {page.name}",
                host_files.write(f"{target}/{page.name}", page.read_bytes(), f"{page.stat().st_mode & 0o777:04o}"),
            )
            for page in pages
        ),
    )


def certificate_steps(context: Context, role: Role, host: str) -> Sequence[Step]:
    """Write a role's own certificate and key, read from secrets. Raises `SecretNotFound`."""
    ssl = role.proxy.ssl if role.proxy is not None else None
    if ssl is None or not ssl.certificate_pem or not ssl.private_key_pem:
        return ()
    directory, mode = proxy.certificates_directory(context.config, role), proxy_files.FILE_MODE
    return (
        Step(
            "make certificate directory",
            proxy_files.make_directory(directory),
            log=f"Writing SSL certificates for {role.name} on {host}",
        ),
        Step("let proxy read certificate", proxy_files.grant(directory)),
        Step(
            "write certificate", host_files.write(f"{directory}/cert.pem", context.secrets[ssl.certificate_pem], mode)
        ),
        Step("write private key", host_files.write(f"{directory}/key.pem", context.secrets[ssl.private_key_pem], mode)),
    )
