"""deploy.yml in, immutable models out. Pure: files, templates' back-ticks, Git and secrets are handed in by the caller."""
