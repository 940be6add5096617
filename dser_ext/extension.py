"""The Kit extension: opens the panel when it starts, and leaves nothing behind when it ends."""

from __future__ import annotations

from typing import Any

import omni.ext

from dser_ext.panel.kit import Host


class AutoEmoteExtension(omni.ext.IExt):  # type: ignore[misc]
    """What Kit starts and stops."""

    def on_startup(self, ext_id: str) -> None:
        del ext_id
        self._host: Any = Host()

    def on_shutdown(self) -> None:
        self._host.close()
        self._host = None
