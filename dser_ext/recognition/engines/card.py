"""Card: the NVIDIA GPU of this machine, as its driver tells."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from dser_ext.errors import ModelError

DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
MAJOR, MINOR = 75, 76  # attributes of a device: its compute capability
LONGEST_NAME = 256


@dataclass(frozen=True)
class Card:
    """name: such as NVIDIA GeForce RTX 3090. gpu: its kind, sm and the compute capability, such as sm86."""

    name: str
    gpu: str

    def __str__(self) -> str:
        return f"{self.name} ({self.gpu})"


def card() -> Card:
    """The first card that CUDA shows. Raises ModelError if there is none, or no driver; not tried on a GPU."""
    try:
        driver: Any = ctypes.CDLL(DRIVER)
    except OSError as error:
        raise ModelError(f"no NVIDIA driver is here ({DRIVER} cannot be loaded); install one") from error
    count, device, number = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(LONGEST_NAME)
    _check(driver.cuInit(0))
    _check(driver.cuDeviceGetCount(ctypes.byref(count)))
    if not count.value:
        raise ModelError("the NVIDIA driver shows no GPU; see nvidia-smi, and CUDA_VISIBLE_DEVICES")
    _check(driver.cuDeviceGet(ctypes.byref(device), 0))
    _check(driver.cuDeviceGetName(name, LONGEST_NAME, device))
    capability = ""
    for attribute in (MAJOR, MINOR):
        _check(driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device))
        capability += str(number.value)
    return Card(name.value.decode(errors="replace"), f"sm{capability}")


def _check(code: int) -> None:
    if code:
        raise ModelError(f"the NVIDIA driver does not work (CUDA error {code}); see nvidia-smi")
