"""A process of its own for one subject: python -m timing.worker SUBJECT FOLDER THREADS.

Says on its standard output, a line of JSON each, that it has heard 3 s of speech and then, for each case it reads, what
that took, run after run for a second at least; or what went wrong, and ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path

from timing.cases import Case
from timing.subjects import SUBJECTS

FIRST = Case(3.0)
TURN_SECONDS = 1.0  # the first run of a turn finds the processor's caches full of what others computed


def main() -> None:
    """Load, hear, and answer until there is nothing more to read."""
    name, folder, threads = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def say(**answer: object) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    try:
        running = SUBJECTS[name].load(Path(folder), int(threads))
        running.run(FIRST)
        say(peak_mib=_peak_mib())
        for request in sys.stdin:
            case = Case(**json.loads(request))
            seconds: list[float] = []
            while sum(seconds) < TURN_SECONDS:
                start = time.perf_counter()
                running.run(case)
                seconds.append(time.perf_counter() - start)
            say(seconds=seconds, peak_mib=_peak_mib())
    except Exception as error:  # whatever a subject's libraries raise becomes a cell of the table
        say(error=(str(error).splitlines() or [type(error).__name__])[0])
        raise


def _peak_mib() -> float | None:
    """As Linux tells it; getrusage's counts what the parent had when it started the child."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) / 1024 if found else None


if __name__ == "__main__":
    main()
