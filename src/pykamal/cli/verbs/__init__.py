"""One module a command or a small group, each with one public function: `run(invocation) -> int`, the exit code."""
