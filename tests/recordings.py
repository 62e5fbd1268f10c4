"""What an HTML file of the viewer holds, read without the viewer: nodes and poses over time."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import zstandard

Array = np.ndarray[Any, np.dtype[np.float64]]


def messages(page: str) -> Iterator[tuple[float, dict[str, Any]]]:
    """(time, message) of the recording in a page, binary arrays in place."""
    found = re.search(r'__VISER_EMBED_DATA__="([A-Za-z0-9+/=]*)"', page)
    assert found is not None
    packed = base64.b64decode(found[1])
    size = int.from_bytes(packed[:8], "little")
    inner = zstandard.ZstdDecompressor().decompressobj().decompress(packed[8:])
    assert len(inner) == size
    length = int.from_bytes(inner[:8], "little")
    said: dict[str, Any] = msgspec.msgpack.decode(inner[8 : 8 + length])
    buffers, at = [], 8 + length
    for n in said["binaryBufferLengths"]:
        at = -8 * (-at // 8)  # aligned
        buffers.append(inner[at : at + n])
        at += n
    for time, message in said["messages"]:
        yield time, _filled(message, buffers)


def poses(page: str) -> dict[float, dict[str, tuple[Array, Array]]]:
    """time -> node -> (quaternion w x y z, position), those of before where nothing is said."""
    now: dict[str, tuple[Array, Array]] = {}
    over_time: dict[float, dict[str, tuple[Array, Array]]] = {}
    for time, message in messages(page):
        q, p = now.get(message.get("name", ""), (np.array([1.0, 0, 0, 0]), np.zeros(3)))
        if message["type"] == "SetOrientationMessage":
            now[message["name"]] = np.array(message["wxyz"]), p
        elif message["type"] == "SetPositionMessage":
            now[message["name"]] = q, np.array(message["position"])
        over_time[time] = dict(now)
    return over_time


def _filled(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, list):
        return [_filled(one, buffers) for one in value]
    if not isinstance(value, dict):
        return value
    if "__binary_index" in value:
        return np.frombuffer(buffers[value["__binary_index"]], value["dtype"])
    return {key: _filled(one, buffers) for key, one in value.items()}
