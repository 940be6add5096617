"""The service as the panel sees it: whether there is one, what it runs on, and how it is started."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dser_ext.errors import DserError

if TYPE_CHECKING:
    from dser_ext.client import Client
    from dser_ext.client.address import Address

OFF, STARTING, READY = "off", "starting", "ready"
LOOK_SECONDS = 10.0  # that a service may take to say which model it has


@dataclass(frozen=True)
class Status:
    """state: OFF, STARTING or READY. model, device: of one that is ready."""

    state: str = OFF
    model: str = ""
    device: str = ""


class Service:
    """The service at an address, or, with none, this user's own, which can be started from here.

    Its methods wait for the service, so they are called from threads; `status` is what they found last. gRPC is loaded
    when the first of them is called: it takes longer than all else that a panel needs to open.
    """

    def __init__(self, target: str = "") -> None:
        self.target = target
        self.status = Status()
        self._lock = threading.Lock()  # never two starts at once

    def look(self) -> Status:
        """Ask whether it is there."""
        from dser_ext.client import Client, GetModel

        try:
            address = self._address()
            if address is None:
                self.status = Status(OFF)
                return self.status
            with Client(address) as client:
                model = client.call(GetModel(), timeout_seconds=LOOK_SECONDS)
            self.status = Status(READY, f"{model.info.name} {model.info.version}", model.device)
        except DserError:
            self.status = Status(OFF)
        return self.status

    def start(self) -> Status:
        """Start it if it is ours and not there. Raises ServiceError if that fails."""
        from dser_ext.client import launcher

        with self._lock:
            if not self.target and launcher.find() is None:
                self.status = Status(STARTING)
                try:
                    launcher.start()
                except DserError:
                    self.status = Status(OFF)
                    raise
            return self.look()

    def stop(self) -> None:
        """End it, if it is ours."""
        from dser_ext.client import launcher

        if not self.target:
            launcher.stop()
        self.look()

    def client(self) -> Client:
        """A connection, to a service that is started first if need be. Raises ServiceError if there is none."""
        from dser_ext.client import Address, Client

        if self._address() is None:
            self.start()
        address = self._address()
        return Client(address or Address(self.target))

    def _address(self) -> Address | None:
        """Where it is; None if it is ours and not there."""
        from dser_ext.client import Address, launcher

        if self.target:
            return Address(self.target)
        found = launcher.find()
        return found.address if found else None
