"""Maps as text: they come back to half a step, and what was empty stays empty."""

import base64
import zlib

import numpy as np
import pytest

from lamella.report.packing import packed_map, packed_mask


def unpacked(packed: dict, shape: tuple[int, int]) -> np.ndarray:
    stored = np.frombuffer(zlib.decompress(base64.b64decode(packed["data"])), np.uint8)
    low, high = stored.reshape(2, *shape).astype(np.uint16)
    steps = low + 256 * high
    steps[:, 0] = np.cumsum(steps[:, 0], dtype=np.uint16)
    codes = np.cumsum(steps, axis=1, dtype=np.uint16)
    return packed["offset"] + packed["scale"] * codes.astype(np.float64)


@pytest.mark.parametrize("finest", [1e-3, 1e-9])
def test_a_map_comes_back_to_half_a_step(finest: float) -> None:
    values = np.random.default_rng(0).normal(0.3, 0.5, (31, 17)).astype(np.float32)
    packed = packed_map(values, finest)
    error = np.abs(unpacked(packed, values.shape) - values).max()
    assert error <= 0.5 * packed["scale"] + 1e-7
    assert packed["scale"] == pytest.approx(max(finest, (values.max() - values.min()) / 65534))


def test_zero_stays_zero() -> None:
    values = np.zeros((8, 9), np.float32)
    values[2:5, 3:6] = [-0.0123, 0.7, 1.9]
    read = unpacked(packed_map(values, 1e-4), values.shape)
    np.testing.assert_allclose(read[values == 0], 0.0, atol=1e-12)
    assert (unpacked(packed_map(0 * values, 1e-4), values.shape) == 0).all()


def test_smooth_maps_become_small() -> None:
    row, col = np.mgrid[:128, :128] / 128
    smooth = (0.4 + 0.3 * np.sin(2 * row) * np.cos(3 * col)).astype(np.float32)
    assert len(packed_map(smooth, 2e-4)["data"]) < 0.25 * 2 * smooth.size


def test_a_mask_comes_back() -> None:
    mask = np.random.default_rng(1).random((13, 21)) > 0.6
    stored = np.frombuffer(zlib.decompress(base64.b64decode(packed_mask(mask))), np.uint8)
    read = np.unpackbits(stored, count=mask.size).reshape(mask.shape)
    np.testing.assert_array_equal(read.astype(bool), mask)
