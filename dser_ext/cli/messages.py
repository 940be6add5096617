"""What the command line says on stderr."""

from __future__ import annotations

import sys


def say(message: object) -> None:
    """One message, one line: whatever would break it, or play tricks on a terminal, is shown as its escape."""
    shown = [char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(message)]
    print(f"dser: {''.join(shown)}", file=sys.stderr)
