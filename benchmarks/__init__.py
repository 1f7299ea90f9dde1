"""Ratios of this tool against a named peer, measured in the same run on the same hosts."""
