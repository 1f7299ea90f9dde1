"""Variables of the environment that kamal runs in (docs/secrets.md), such as the secrets of a CI."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import ClassVar, Final

from pykamal.core.errors import KamalError
from pykamal.core.sensitive import Sensitive
from pykamal.secrets.adapters.protocol import Adapter, Values, refuse_account


class Environment:
    needs_account: ClassVar[bool] = False

    def fetch(self, secrets: Sequence[str], *, account: str | None, source: str | None) -> Values:
        refuse_account("env", account)
        if source is not None:
            raise KamalError("The adapter env takes no --from", hint="give the whole names of the variables")
        missing = [name for name in secrets if name not in os.environ]
        if missing:
            raise KamalError(
                f"The environment has no {', '.join(missing)}",
                hint="export it where kamal runs; in CI, hand the secret to the step that runs kamal",
            )
        return {name: Sensitive(os.environ[name]) for name in secrets}


ADAPTER: Final[Adapter] = Environment()
