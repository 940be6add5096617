"""Keeps the packages of pip_prebundle loaded while the extension is disabled, and gives them back when it is enabled.

Kit forgets all modules below an extension's folder when it disables it. Ours come back without harm, but numpy cannot
be loaded twice in one process. This module is the first that Kit starts of the extension, and the last that it ends.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import omni.ext

FOLDER = Path(__file__).with_name("pip_prebundle")  # not resolved: Kit goes by the path that it loaded
KEPT = "dser_prebundle_kept"  # a module without a file, which Kit does not forget


for _name, _module in getattr(sys.modules.get(KEPT), "modules", {}).items():
    sys.modules.setdefault(_name, _module)


class PrebundleExtension(omni.ext.IExt):
    """What Kit starts and stops."""

    def on_shutdown(self) -> None:
        kept = sys.modules.setdefault(KEPT, ModuleType(KEPT))
        kept.modules = {  # type: ignore[attr-defined]
            name: module
            for name, module in list(sys.modules.items())
            if (file := getattr(module, "__file__", None)) and FOLDER in Path(file).parents
        }
