"""A call that ends in an error, and how it is said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from dser_ext.errors import Audio2FaceError, AudioError, DserError, ModelError


class RefusalError(Exception):
    """A call that cannot go on: the code that it ends with, and one sentence for the client's user.

    field: path of what is wrong in the request, if it is that. retry_seconds: after which trying again makes sense.
    kind: of refusal, for programs (google.rpc.ErrorInfo).
    """

    def __init__(
        self,
        reason: str,
        code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT,
        *,
        field: str = "",
        retry_seconds: float | None = None,
        kind: str = "REFUSED",
    ) -> None:
        super().__init__(reason)
        self.code, self.field, self.retry_seconds, self.kind = code, field, retry_seconds, kind

    @classmethod
    def of(cls, error: DserError, field: str | None = None) -> RefusalError:
        """An error of ours as a call ends with it. field: that it is about; None: the usual one."""
        code, usual = _USUAL.get(type(error), (grpc.StatusCode.INVALID_ARGUMENT, ""))
        kind = type(error).__name__.removesuffix("Error").upper()
        return cls(str(error), code, field=usual if field is None else field, kind=kind)


_USUAL: dict[type[DserError], tuple[grpc.StatusCode, str]] = {
    AudioError: (grpc.StatusCode.INVALID_ARGUMENT, "audio"),
    ModelError: (grpc.StatusCode.INTERNAL, ""),
    Audio2FaceError: (grpc.StatusCode.FAILED_PRECONDITION, "options.target"),
}


@contextmanager
def about(field: str) -> Iterator[None]:
    """Around what reads this field of a request: an error of ours then tells that it is about it."""
    try:
        yield
    except DserError as error:
        raise RefusalError.of(error, field) from error
