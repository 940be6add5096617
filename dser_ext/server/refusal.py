"""A call that ends in an error, and how it is said."""

from __future__ import annotations

import grpc


class RefusalError(Exception):
    """A call that cannot go on: the code that it ends with, and one sentence for the client's user.

    field: path of what is wrong in the request, if it is that. retry_seconds: after which trying again makes sense.
    """

    def __init__(
        self,
        reason: str,
        code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT,
        *,
        field: str = "",
        retry_seconds: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.code, self.field, self.retry_seconds = code, field, retry_seconds
