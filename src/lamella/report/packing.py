"""Maps as short text: quantised, differenced, deflated, in base64; the page unpacks them.

A code is ``q = round((v - offset) / scale)``, an unsigned 16-bit number, and ``v = offset + scale
q`` again. Along each row codes are stored as differences modulo 65536, low bytes before high
bytes, because smooth maps then deflate well. Zero is always a code, so what was empty stays so.
"""

import base64
import zlib
from typing import Any

import numpy as np

from lamella.types import Image, Mask

MOST_CODES = 65535


def packed_map(values: Image, finest: float) -> dict[str, Any]:
    """A map as ``data``, ``scale`` and ``offset``.

    Args:
        values: (row, col).
        finest: smallest step worth keeping, in the unit of the values; the error is at most half
            a step, which is larger only where 65536 of them do not span the values.
    """
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    scale = max(finest, (high - low) / (MOST_CODES - 1))
    first = np.floor(low / scale)
    codes = np.rint(values / scale - first).astype(np.uint16)
    return {"data": _text(_differences(codes)), "scale": scale, "offset": float(first * scale)}


def packed_mask(mask: Mask) -> str:
    """A mask, eight pixels to a byte from its first bit on, row after row without a gap."""
    return _text(np.packbits(mask).tobytes())


def _differences(codes: np.ndarray) -> bytes:
    stored = codes.copy()
    stored[:, 1:] -= codes[:, :-1]
    stored[1:, 0] -= codes[:-1, 0]
    low, high = (stored & 0xFF).astype(np.uint8), (stored >> 8).astype(np.uint8)
    return low.tobytes() + high.tobytes()


def _text(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")
