"""Compile the declarations in this folder into the descriptor set that the package ships.

Needs grpcio-tools (`pip install .[dev]`); run `python proto/compile.py` after every change of a .proto file.
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
MESSAGES = HERE.parent / "dser_ext" / "messages.binpb"


def compile_to(destination: Path) -> None:
    """Write one serialized FileDescriptorSet, imports included; raise SystemExit if a declaration is wrong."""
    sources = sorted(str(path.relative_to(HERE)) for path in HERE.rglob("*.proto"))
    well_known = str(resources.files("grpc_tools") / "_proto")
    options = [f"-I{HERE}", f"-I{well_known}", "--include_imports", f"--descriptor_set_out={destination}"]
    if protoc.main(["protoc", *options, *sources]):
        raise SystemExit("a .proto file is wrong; see the lines above")


if __name__ == "__main__":
    compile_to(MESSAGES)
    print(f"wrote {MESSAGES}", file=sys.stderr)
