"""The omni.ui of the ovui wheel, driven by Kit's update loop, without a window of the system."""

import ctypes
import importlib.util
import os

import carb.eventdispatcher
import carb.settings
import omni.ext
import omni.kit.app

os.environ.setdefault("OMNIUI_HEADLESS", "1")
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    ctypes.CDLL(os.environ["LIBCUDA_STUB"])

# ovui takes `carb` for a sign that it is inside of Kit, and then asks for files that only Kit's own omni.ui has.
_find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "carb" else _find_spec(name, package)
try:
    import omni.ui as ui
    from omni.ui import standalone
finally:
    importlib.util.find_spec = _find_spec


class Bridge(omni.ext.IExt):
    """Draws a frame with every update."""

    def on_startup(self, ext_id):
        del ext_id
        settings = carb.settings.get_settings()
        ui.init("kit", width=settings.get("/exts/omni.ui/width"), height=settings.get("/exts/omni.ui/height"))
        self._updates = carb.eventdispatcher.get_eventdispatcher().observe_event(
            observer_name="omni.ui",
            event_name=omni.kit.app.GLOBAL_EVENT_UPDATE,
            on_event=lambda _: standalone._tick_one_frame(),
            order=omni.kit.app.UPDATE_ORDER_UI_RENDER,
        )

    def on_shutdown(self):
        self._updates = None
        ui.shutdown()
