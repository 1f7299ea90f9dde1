"""Black-box cases of spec/proxy.md 23, run against the executable named by $PROXY_UNDER_TEST."""
