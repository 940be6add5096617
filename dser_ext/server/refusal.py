"""A call that ends in an error, and how it is said."""

from __future__ import annotations

import grpc


class RefusalError(Exception):
    """A call that cannot go on: the code that it ends with, and one sentence for the client's user."""

    def __init__(self, reason: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(reason)
        self.code = code
