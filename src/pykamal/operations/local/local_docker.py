"""Docker on the operator's own machine, which builds images (spec/cli.md 15.3, step 2)."""

from __future__ import annotations

from pykamal.commands import builder
from pykamal.core.errors import DependencyError
from pykamal.operations.context import Context


async def require_docker(context: Context) -> None:
    """Raises `DependencyError` when Docker or its buildx plugin is missing here."""
    result = await context.local.run(builder.check_docker(), name="check Docker", check=False)
    if result.ok:
        return
    missing = "not found" in result.stderr and "buildx" not in result.stderr
    what = "Docker is" if missing else "Docker buildx plugin is"
    raise DependencyError(
        f"{what} not installed locally",
        details=result.stderr.splitlines(),
        hint="install Docker with its buildx plugin on this machine, or deploy a pushed image with --skip-push",
    )
