"""`dser-train annotate` as a process of its own, and a client that speaks to it like its page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx2

READY_SECONDS = 60.0


class AnnotateProcess:
    """Starts at once and waits until it is ready. `address` is where; port 0 of the first start is kept."""

    def __init__(self, folder: Path, *settings: str, token: str = "") -> None:
        self.folder, self.settings, self.token = folder, list(settings), token
        self.listen = "127.0.0.1:0"
        config = folder / "annotate.yaml"
        config.write_text(f"candidates: {folder.as_posix()}\n")
        self.command = [sys.executable, "-m", "dser_training.main", "annotate", "--config", str(config)]
        self.start()

    def start(self) -> None:
        environment = {**os.environ, "DSER_TOKEN": self.token}
        command = [*self.command, *self.settings, f"listen={self.listen}"]
        told = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, env=environment, **told)
        late = threading.Timer(READY_SECONDS, self.process.kill)
        late.start()
        first = self.process.stdout.readline()
        late.cancel()
        assert "is ready" in first, first + self.process.stderr.read()
        self.address = first.split()[0].rstrip("/")
        self.listen = self.address.partition("//")[2]

    def kill(self) -> None:
        """As kill -9 does."""
        self.process.kill()
        self.process.communicate()

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """End it; exit code and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err

    def client(self, **settings: Any) -> httpx2.Client:
        return httpx2.Client(base_url=self.address, headers={"origin": self.address}, timeout=10, **settings)
