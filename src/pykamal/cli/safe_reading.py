"""deploy.yml as far as it can be read without running anything of it, for those who only look."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykamal.config.document import MapNode


def read_root(path: Path, destination: str | None, *, seconds: float = 1.0) -> MapNode | None:
    """The merged files without validation; None without a configuration file.

    Shell lines in templates are not run and give nothing. Where a template fails for that, or takes longer than
    `seconds`, the files count as they are written, without what stands in tags. Raises `ConfigurationError` for what
    cannot be read so either.
    """
    if not path.expanduser().is_file():
        return None
    from pykamal.config.load import load_document
    from pykamal.core.errors import ConfigurationError
    from pykamal.erb.budget import Limits
    from pykamal.operations.local.local_system import SafeSystem

    visible = os.environ.keys() - {"KAMAL_ERB"}
    system = SafeSystem(visible=visible, roots=[Path("/")], skip_commands=True)
    try:
        return load_document(path, destination=destination, system=system, limits=Limits(seconds=seconds)).root
    except ConfigurationError:
        try:
            return load_document(path, destination=destination, system=system, templates=False).root
        except ConfigurationError:
            pass
        raise
