"""A headless Omniverse Kit with the real omni.ui, and a way to run the tests of an extension in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from ctypes.util import find_library
from pathlib import Path

import pytest

import dser_ext
from dser_ext.client import launcher
from dser_ext.client.runfolder import RUN_DIR, RunFolder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
KIT, OMNI_UI = "omniverse-kit==110.4.0.*", "ovui==0.3.0"
LICENCE = "OMNI_KIT_ACCEPT_EULA"
DRIVERS = "/usr/share/vulkan/icd.d"
MOST_SECONDS = 300
WIDEST = 1000  # pixels, of the panels that are looked at


def missing() -> str:
    """Why Kit cannot be run here; "" if it can."""
    if os.environ.get(LICENCE) != "yes":
        return f"NVIDIA's licence for Kit has not been accepted here ({LICENCE}=yes does)"
    if sys.platform != "linux":
        return "the tier inside Kit runs on Linux alone"
    if find_python() is None:
        return "Kit needs Python 3.12"
    if shutil.which("gcc") is None:
        return "gcc is missing"
    if find_library("vulkan") is None or not list(Path(DRIVERS).glob("lvp_icd*.json")):
        return "Mesa's software Vulkan is missing (libvulkan1, mesa-vulkan-drivers)"
    return ""


def find_python() -> str | None:
    """A Python 3.12."""
    managed = sorted(Path.home().glob(".pyenv/versions/3.12*/bin/python3.12"))
    return str(managed[-1]) if managed else shutil.which("python3.12")


def where_it_can_run(test: Callable[..., None]) -> Callable[..., None]:
    """Leave a test out where Kit is missing, and say why; never in our own checks, where that is a failure."""
    reason = missing() if os.environ.get("CI") != "true" else ""
    return pytest.mark.skipif(bool(reason), reason=reason)(test)


def build(folder: Path) -> Path:
    """Kit and omni.ui in a folder, which stays for the next time."""
    if reason := missing():
        raise RuntimeError(reason)
    if (folder / "built").exists():
        return folder
    python = find_python()
    assert python is not None
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, KIT], check=True)
    # Apart from Kit: its omni package would hide Kit's own.
    subprocess.run([*pip, "--no-deps", "--target", folder / "ovui", OMNI_UI], check=True)
    shutil.copytree(HERE / "exts", folder / "exts")
    for name in ("ui", "ui_scene"):
        link = folder / "exts/omni.ui/omni" / name
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(folder / "ovui/omni" / name)
    stub = folder / "libcuda.so.1"
    source = HERE / "exts/omni.ui/libcuda_stub.c"
    subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", stub, source], check=True)
    (folder / "built").touch()
    return folder


def run_panel_tests(lab: Path, folder: Path, pictures: Path, a2f: str) -> tuple[int, str]:
    """Kit's exit code and log of the panel's tests, which leave `sent.json`, the keys that they pushed, in the folder.

    pictures: where screenshots go. a2f: HOST:PORT of the test Audio2Face.
    """
    pictures.mkdir(parents=True, exist_ok=True)
    lines = folder / "hero"
    lines.mkdir()
    line = shutil.copy(dser_ext.sample_line(), lines / "hero_017.ogg")
    service = RunFolder(folder / "run")
    environment = {
        "KIT_LINE": str(line),
        "KIT_PICTURES": str(pictures),
        "KIT_A2F": a2f,
        "KIT_SENT": str(folder / "sent.json"),
        RUN_DIR: str(service.path),
        launcher.PYTHON: sys.executable,
    }
    settings = {"/exts/omni.ui/width": WIDEST, "/exts/omni.ui/height": 860}
    try:
        return run(lab, HERE / "dser.kit_tests", settings, environment)
    finally:
        launcher.stop(folder=service)


def run(lab: Path, extension: Path, settings: Mapping[str, object], environment: Mapping[str, str]) -> tuple[int, str]:
    """Kit's exit code and log. extension: folder of the one whose tests are run; ours is found as dser.audio2face."""
    with tempfile.TemporaryDirectory(prefix="kit-") as work:
        ours = Path(work, "ours")
        ours.mkdir()
        (ours / "dser.audio2face").symlink_to(ROOT)
        shutil.copytree(extension, ours / extension.name)
        given = {
            "--/app/runWithoutRunloop": True,
            "--/app/fastShutdown": False,
            "--/app/extensions/registryEnabled": False,
        }
        given |= {
            "--/exts/omni.kit.test/testExts/0": extension.name,
            **{f"--{key}": value for key, value in settings.items()},
        }
        flags = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in given.items()]
        command = [lab / "venv/bin/python", "-m", "omni.kit_app", "--no-window", "--portable-root", f"{work}/portable"]
        for folder in (lab / "exts", ours):
            command += ["--ext-folder", folder]
        for name in ("omni.kit.test", "omni.kit.ui_test", extension.name):
            command += ["--enable", name]
        icd = next(Path(DRIVERS).glob("lvp_icd*.json"))
        variables = {
            **{name: value for name, value in os.environ.items() if name not in ("DISPLAY", "PYTHONPATH")},
            "HOME": work,  # Kit writes its logs there, and omni.ui its layout into the working folder
            "OMNI_KIT_ALLOW_ROOT": "1",
            "LIBCUDA_STUB": str(lab / "libcuda.so.1"),
            "VK_ICD_FILENAMES": str(icd),
            **environment,
        }
        done = subprocess.run(
            [*map(str, command), *flags],
            cwd=work,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
    return done.returncode, done.stdout
