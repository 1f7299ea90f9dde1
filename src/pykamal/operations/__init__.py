"""Flows: facts are read, a plan is made from configuration and facts, one executor carries it out.

From the lowest layer up, each importing only what is named before it: `selection` and `context` (what a run is
about), `local` (the operator's machine), `secret_scan` (leaked secrets), `execution` (plans, executor, hooks, errors
explained), `hosts` (facts, lock, audit, Docker), `images`, `proxy`, `app` and `accessory`, and last the flows that
bring subjects together: `deploy`, `rollback`, `removal`, `upgrade`, `details`. `run` opens what a run needs and closes
it.
"""
