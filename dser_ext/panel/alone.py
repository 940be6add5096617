"""The panel as a window of its own, by omni.ui outside of Kit (ovui)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import omni.ui as ui
from omni.ui.testing import set_clipboard_text

from dser_ext.panel import text
from dser_ext.panel.model import Panel
from dser_ext.panel.service import Service
from dser_ext.panel.window import HEIGHT, WIDTH, PanelWindow

FRAMES_PER_SECOND = 60.0


def run(line: str | None, service: str) -> None:
    """Show the panel until its window is closed. service: HOST:PORT, or "" for this user's own."""
    panel = Panel(Service(service))
    ui.init(text.TITLE, width=WIDTH, height=HEIGHT, max_fps=FRAMES_PER_SECOND)
    flags = ui.WINDOW_FLAGS_NO_TITLE_BAR | ui.WINDOW_FLAGS_NO_RESIZE | ui.WINDOW_FLAGS_NO_MOVE
    window = PanelWindow(panel, set_clipboard_text, flags=flags, position_x=0, position_y=0)
    if line is not None:
        panel.open(str(Path(line)))

    async def frames() -> None:
        while True:
            window.window.width, window.window.height = ui.standalone.get_window_size()
            window.tick()
            await ui.next_frame()

    async def until_closed() -> None:
        ticking = asyncio.ensure_future(frames())
        try:
            await ui.run_async()
        finally:
            ticking.cancel()
            window.destroy()

    asyncio.run(until_closed())
