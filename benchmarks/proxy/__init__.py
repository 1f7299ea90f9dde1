"""The proxy's data plane beside plain nginx and Caddy."""
