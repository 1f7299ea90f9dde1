"""Black-box cases of spec/proxy.md 23.

$PROXY_UNDER_TEST is the command to run (this project's module unless given), $PROXY_UNDER_TEST_KIND tells whose it is
(`ours` or `reference`; `reference` when only the first is given).
"""
