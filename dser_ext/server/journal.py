"""What is noted of every call when it is over, and the log: a line each, as text or as JSON.

Nothing of what a call brings is noted: no sound, no voice, no token, and not what a line is called.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("dser")


@dataclass
class Caller:
    """Who calls, and what it took so far. name: the address."""

    name: str
    waited_seconds: float = 0.0  # for turns
    computed_seconds: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A call that is over. code: gRPC's name of how. metadata: of the call; not to be written anywhere."""

    method: str
    caller: Caller
    code: str
    start_seconds: float  # since the epoch
    seconds: float
    metadata: Sequence[tuple[str, Any]] = field(default=(), repr=False)


def note(ended: Ended) -> None:
    """Write a line about a call."""
    caller = ended.caller
    facts = {
        "method": ended.method,
        "caller": caller.name,
        "code": ended.code,
        "seconds": round(ended.seconds, 4),
        "waited_seconds": round(caller.waited_seconds, 4),
        "computed_seconds": round(caller.computed_seconds, 4),
    }
    log.info("call", extra={"facts": facts})


def start_log(form: str) -> None:
    """Write the log to stderr from now on. form: "text" or "json"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        line = f"{_time(record)} {record.levelname.lower()} {record.getMessage()} {facts}".rstrip()
        shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line)
        return shown + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document = {"time": _time(record), "level": record.levelname.lower(), "event": record.getMessage()}
        if record.exc_info:
            document["traceback"] = self.formatException(record.exc_info)
        return json.dumps({**document, **_facts(record)})


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})


def _time(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"
