"""The messages of every gRPC call that we make or answer, apart from any that other packages bring along.

The descriptors live in a pool of our own: the pool that a process shares accepts each message name only once, so
that two packages declaring `nvidia_ace.*` could not be imported together. Names and numbers are those of the wire;
`proto/` holds the declarations that `messages.binpb` is compiled from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, message_factory
from google.protobuf.descriptor_pool import DescriptorPool


def _private_pool() -> Any:
    files = descriptor_pb2.FileDescriptorSet.FromString(Path(__file__).with_name("messages.binpb").read_bytes())
    pool = DescriptorPool()
    for file in files.file:  # protoc writes every file after those it imports
        pool.AddSerializedFile(file.SerializeToString())
    return pool


POOL = _private_pool()


def message(name: str) -> Any:
    """The class of the message of this full name."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))
