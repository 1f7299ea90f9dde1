"""A role without HTTP: works, says so, and keeps a file fresh that its health check looks at.

HEALTHCHECK CMD ["python3", "worker.py", "--check"]
"""

import os
import signal
import sys
import time
from pathlib import Path

BEAT = Path("/run/worker-beat")
BEAT_SECONDS = 1.0
STALE_SECONDS = 5.0
BROKEN = (Path(__file__).parent / "BROKEN").exists() or os.environ.get("HEALTHY") == "false"


def main():
    version = os.environ.get("KAMAL_VERSION", "none")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    print(f"worker {version} begins", flush=True)
    jobs = 0
    while True:
        if BROKEN:
            print("ERROR: the queue cannot be reached", flush=True)
        else:
            BEAT.touch()
        jobs += 1
        if jobs % 10 == 0:
            print(f"worker {version} did {jobs} jobs", flush=True)
        time.sleep(BEAT_SECONDS)


def check():
    try:
        age = time.time() - BEAT.stat().st_mtime
    except FileNotFoundError:
        return 1
    return 0 if age < STALE_SECONDS else 1


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv[1:] else main())
