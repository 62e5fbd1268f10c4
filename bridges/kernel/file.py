"""Kernels as one file: names and sizes, programs, and their C and CUDA text; no pickle.

    Saved -> `write` -> bytes (a zip) -> `read` -> Saved

The members are `manifest.json`, and `program.json`, `kernel.c` and `kernel.cu` in a folder for the
kernel and for each derivative; `checksum` is the hash of all others. Whatever a file says is
checked before it is used: a kernel that was read touches no memory but that of its arguments.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from bridges.kernel.program_json import index, program_from_json, program_to_json
from bridges.kernel.signature import SIGNATURES, Signature, values_signature
from bridges.kernel.source import Source, Wrt
from bridges.native.emit_c import emit_c
from bridges.native.emit_cuda import emit_cuda
from bridges.native.jacobians import Pattern
from bridges.native.program import Program
from bridges.native.target import DType, Target, check_dtype

FORMAT = 1
MOST_BYTES = 2**28  # of all members together
MOST_MEMBERS = 10_000
_MOST_NAMES = 2**16
_KINDS = {*SIGNATURES, "jacobian_values"}
_WITH_PATTERNS = {"jacobian", "jacobian_values"}

Tree: TypeAlias = "Mapping[tuple[str, Wrt], Tree]"
"""Derivatives by kind and inputs, each with the derivatives of its own that are wanted."""


@dataclass(frozen=True)
class Saved:
    """What a kernel is made of."""

    source: Source
    dtype: DType
    output_shapes: tuple[tuple[int, ...], ...]
    is_tuple: bool


class LoadedSource(Source):
    """A program from a file, and those of the derivatives that were saved with it."""

    def __init__(
        self, signature: Signature, program: Program, content: bytes | None, label: str = ""
    ) -> None:
        self.signature, self._program, self.content = signature, program, content
        self._label = label
        self._derived: dict[tuple[str, Wrt], LoadedSource] = {}
        self._patterns: dict[Wrt, list[Pattern]] = {}

    @property
    def program(self) -> Program:
        """The scalar program."""
        return self._program

    def add(
        self, kind: str, wrt: Wrt, program: Program, patterns: list[Pattern] | None
    ) -> LoadedSource:
        """A derivative beside the value. Raises ValueError where its sizes misfit."""
        if kind == "jacobian_values":
            counts = [len(rows) for rows, _ in patterns or []]
            signature = values_signature(self.signature, wrt, counts)
        else:
            signature = SIGNATURES[kind](self.signature, wrt)
        _check_sizes(signature, program)
        label = f"{self._label}{kind} of {self._named(wrt)}: "
        derived = LoadedSource(signature, program, self.derived_content(kind, wrt), label)
        self._derived[kind, wrt] = derived
        if patterns is not None:
            self._patterns[wrt] = patterns
        return derived

    def derived(self, kind: str, wrt: Wrt) -> Source:
        """The derivative, if it was saved. Raises ValueError that says which ones were."""
        found = self._derived.get((kind, wrt))
        if found is None:
            raise self._absent(f"{kind} for {self._named(wrt)}", kind)
        return found

    def patterns(self, wrt: Wrt) -> list[Pattern]:
        """The patterns, if a Jacobian was saved. Raises ValueError as `derived`."""
        if wrt not in self._patterns:
            raise self._absent(f"Jacobian for {self._named(wrt)}", "jacobian_values")
        return self._patterns[wrt]

    def _absent(self, what: str, kind: str) -> ValueError:
        there = [f"{k} for {self._named(w)}" for k, w in self._derived]
        return ValueError(
            f"{self.signature.title}: no {what} in the saved kernel (there: "
            f"{'; '.join(there) or 'the value alone'}); save it with kernel.save(path, "
            f"derivatives=[{kind!r}])"
        )

    def _named(self, wrt: Wrt) -> str:
        return ", ".join(self.signature.names_in[i] for i in wrt) or "no input"


def write(saved: Saved, tree: Tree, vector_bytes: int) -> bytes:
    """The file of a kernel and of these derivatives, with C text for vectors of this width.

    Raises ValueError for more than `read` takes.
    """
    members: dict[str, bytes] = {}
    target = Target(saved.dtype, vector_bytes)

    def node(source: Source, below: Tree) -> dict[str, Any]:
        program = source.program
        number = len(members) // 3
        members[f"{number}/program.json"] = program_to_json(program)
        members[f"{number}/kernel.c"] = emit_c(program, target).encode()
        members[f"{number}/kernel.cu"] = emit_cuda(program, saved.dtype).encode()
        derivatives: list[dict[str, Any]] = []
        for (kind, wrt), deeper in below.items():
            entry: dict[str, Any] = {"kind": kind, "wrt": wrt}
            if kind in _WITH_PATTERNS:
                entry["patterns"] = source.patterns(wrt)
            derivatives.append(entry | node(source.derived(kind, wrt), deeper))
        return {"number": number, "derivatives": derivatives}

    s = saved.source.signature
    manifest = {
        "format": FORMAT,
        "dtype": saved.dtype,
        "vector_bytes": vector_bytes,
        "title": s.title,
        "inputs": list(zip(s.names_in, s.sizes_in, strict=True)),
        "outputs": list(zip(s.names_out, s.sizes_out, strict=True)),
        "output_shapes": saved.output_shapes,
        "is_tuple": saved.is_tuple,
        "value": node(saved.source, tree),
    }
    members["manifest.json"] = json.dumps(manifest).encode()
    members["checksum"] = _checksum(members).encode()
    size = sum(map(len, members.values()))
    if size > MOST_BYTES:
        raise ValueError(f"{s.title}: {size:,} bytes to save, expected {MOST_BYTES:,} or fewer")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():  # without dates: equal kernels are equal files
            archive.writestr(zipfile.ZipInfo(name), body, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def read(data: bytes, content: bytes | None = None) -> Saved:
    """What `write` wrote.

    content: that of the source, from where it can be trusted; it names the library in the cache.

    Raises ValueError for anything else, and for what was cut or changed.
    """
    members = _members(data)
    try:
        return _read(members, content)
    except (
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise ValueError(f"not a kernel file: {type(error).__name__} {error}") from error
    except ValueError as error:
        raise ValueError(f"not a kernel file: {error}") from error


def _members(data: bytes) -> dict[str, bytes]:
    """The members of a file with the right checksum."""
    members: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            size = sum(info.file_size for info in infos)
            if len(infos) > MOST_MEMBERS or size > MOST_BYTES:
                raise ValueError(f"not a kernel file: {len(infos)} members of {size} bytes")
            for info in infos:
                with archive.open(info) as member:
                    members[info.filename] = member.read(info.file_size + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"not a kernel file, or a damaged one: {error}") from error
    if len(members) != len(infos):
        raise ValueError("not a kernel file: a member comes twice")
    if members.pop("checksum", b"") != _checksum(members).encode():
        raise ValueError("the kernel file is damaged: its checksum is wrong")
    return members


def _checksum(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(members):
        for part in (name.encode(), members[name]):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _read(members: Mapping[str, bytes], content: bytes | None) -> Saved:
    manifest: Any = json.loads(members["manifest.json"])
    if manifest["format"] != FORMAT:
        raise ValueError(f"a file of format {manifest['format']!r}, expected {FORMAT}")
    dtype = check_dtype(manifest["dtype"])
    names_in, sizes_in = _named_sizes(manifest["inputs"])
    names_out, sizes_out = _named_sizes(manifest["outputs"])
    signature = Signature(str(manifest["title"])[:1000], names_in, sizes_in, names_out, sizes_out)
    shapes = tuple(tuple(index(n) for n in shape) for shape in manifest["output_shapes"])
    if tuple(map(math.prod, shapes)) != sizes_out:
        raise ValueError(f"outputs of shapes {shapes} and sizes {sizes_out}")
    node = manifest["value"]
    program = _program(members, node)
    _check_sizes(signature, program)
    source = LoadedSource(signature, program, content)
    _add_derivatives(members, source, node)
    return Saved(source, dtype, shapes, bool(manifest["is_tuple"]))


def _add_derivatives(members: Mapping[str, bytes], source: LoadedSource, node: Any) -> None:
    for entry in node["derivatives"]:
        kind = entry["kind"]
        if kind not in _KINDS:
            raise ValueError(f"unknown derivative {kind!r}")
        n = len(source.signature.names_in)
        wrt = tuple(index(i, n) for i in entry["wrt"])
        if len(set(wrt)) < len(wrt) or (kind == "hessian_vp" and wrt != tuple(range(n))):
            raise ValueError(f"{kind} for inputs {wrt}")
        patterns = None
        if kind in _WITH_PATTERNS:
            patterns = _patterns(entry["patterns"], source.signature, wrt)
        derived = source.add(kind, wrt, _program(members, entry), patterns)
        _add_derivatives(members, derived, entry)


def _program(members: Mapping[str, bytes], node: Any) -> Program:
    return program_from_json(members[f"{index(node['number'])}/program.json"])


def _patterns(given: Any, signature: Signature, wrt: Wrt) -> list[Pattern]:
    blocks = [(m, signature.sizes_in[i]) for m in signature.sizes_out for i in wrt]
    patterns: list[Pattern] = []
    for (m, n), (rows, columns) in zip(blocks, given, strict=True):
        pattern = [index(r, m) for r in rows], [index(c, n) for c in columns]
        if len(pattern[0]) != len(pattern[1]):
            raise ValueError("a pattern with unequal rows and columns")
        patterns.append(pattern)
    return patterns


def _check_sizes(signature: Signature, program: Program) -> None:
    have = (program.input_sizes, program.output_sizes)
    want = (signature.sizes_in, signature.sizes_out)
    if have != want:
        raise ValueError(f"a program of sizes {have}, expected {want}")


def _named_sizes(given: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    if len(given) > _MOST_NAMES:
        raise ValueError(f"{len(given)} inputs or outputs")
    names = tuple(str(name)[:1000] for name, _ in given)
    return names, tuple(index(size) for _, size in given)
