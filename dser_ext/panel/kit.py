"""The panel in a Kit application: its settings, its frames, its clipboard and its entry in the Window menu."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import carb.settings
import omni.kit.app
import omni.ui as ui

from dser_ext.emotion.keyframes import Keyframes
from dser_ext.panel import text
from dser_ext.panel.kit_undo import UndoSteps
from dser_ext.panel.model import Panel
from dser_ext.panel.service import Service
from dser_ext.panel.window import PanelWindow

SETTINGS = "/exts/dser.audio2face"
REMEMBERED = "/persistent/exts/dser.audio2face"


class Host:
    """A panel in this application, until it is closed."""

    def __init__(self) -> None:
        settings = carb.settings.get_settings()
        self.panel = Panel(Service(settings.get(f"{SETTINGS}/service") or ""))
        self.panel.recent = [path for path in settings.get(f"{REMEMBERED}/recent") or [] if path]
        self.panel.target = settings.get(f"{REMEMBERED}/audio2face") or settings.get(f"{SETTINGS}/audio2face") or ""
        if in_audio2face():
            self.panel.key_scene = scene_keyer(settings.get(f"{SETTINGS}/face") or None)
            self.panel.player_track = track_asker(settings.get(f"{SETTINGS}/app") or "")
        self._undo = UndoSteps.joined(self.panel)
        self.window = PanelWindow(self.panel, copy)
        self._frames = every_frame(self.window.tick)
        if hasattr(ui.Workspace, "set_show_window_fn"):
            ui.Workspace.set_show_window_fn(text.TITLE, self._show)

    def close(self) -> None:
        """Close the window, and remember what is to be there next time."""
        self._frames = None
        if self._undo is not None:
            self._undo.leave()
        if hasattr(ui.Workspace, "set_show_window_fn"):
            ui.Workspace.set_show_window_fn(text.TITLE, lambda _: None)
        settings = carb.settings.get_settings()
        settings.set(f"{REMEMBERED}/recent", self.panel.recent)
        settings.set(f"{REMEMBERED}/audio2face", self.panel.target)
        self.window.destroy()

    def _show(self, visible: bool) -> None:
        self.window.window.visible = visible


def every_frame(act: Callable[[], None]) -> Any:
    """Call it with every update of the application, for as long as what comes back is kept."""
    app = omni.kit.app
    with suppress(ImportError, AttributeError):  # before Kit 107 there is no event dispatcher
        import carb.eventdispatcher

        return carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="dser.audio2face", event_name=app.GLOBAL_EVENT_UPDATE, on_event=lambda _: act()
        )
    stream = app.get_app().get_update_event_stream()
    return stream.create_subscription_to_pop(lambda _: act(), name="dser.audio2face")


def in_audio2face() -> bool:
    """Whether this application is the Audio2Face app, by what its face nodes are called after. Not tried there."""
    return bool(omni.kit.app.get_app().get_extension_manager().is_extension_enabled("omni.audio2face.core"))


def track_asker(url: str) -> Callable[[], str]:
    """Asks the app's own REST service which track its player has."""

    def ask() -> str:
        from dser_ext.audio2face.app import App

        return App(url).current_track()

    return ask


def scene_keyer(face: str | None) -> Callable[[Keyframes], str]:
    """Keys the scene that the app has open."""
    from omni.usd import get_context

    from dser_ext.audio2face.app_usd import key_open_scene

    return lambda keyframes: key_open_scene(get_context().get_stage(), keyframes, face)


def copy(words: str) -> None:
    """Put text into the clipboard, by whatever this application has for it."""
    try:
        import omni.kit.clipboard

        omni.kit.clipboard.copy(words)
    except ImportError:
        from omni.ui.testing import set_clipboard_text  # of omni.ui outside of a full Kit

        set_clipboard_text(words)
