"""Windows as networks take them."""

import numpy as np
import pytest

from lamella.prepare.windows import PX_MULTIPLE, box_around, mirrored_mean, padded_to_multiple


@pytest.mark.parametrize("context_px", [24, 40])
@pytest.mark.parametrize(("first", "last"), [(0, 9), (40, 60), (90, 99)])
def test_the_box_holds_what_is_occupied_with_context(first, last, context_px):
    occupied = np.zeros((100, 120), bool)
    occupied[first : last + 1, 50:60] = True
    box = box_around(occupied, context_px)
    assert occupied[box].sum() == occupied.sum()
    for span, (low, high), length in zip(box, ((first, last), (50, 59)), (100, 120), strict=True):
        assert 0 <= span.start <= max(low - context_px, 0)
        assert length >= span.stop >= min(high + context_px + 1, length)
        size = span.stop - span.start
        assert size % PX_MULTIPLE == 0 or span.start == 0 or span.stop == length


def test_padding_repeats_the_last_row_and_column():
    maps = np.arange(2 * 5 * 20, dtype=np.float32).reshape(2, 5, 20)
    padded = padded_to_multiple(maps)
    assert padded.shape == (2, 16, 32)
    np.testing.assert_array_equal(padded[:, :5, :20], maps)
    assert (padded[:, 5:, :20] == maps[:, -1:, :]).all()
    np.testing.assert_array_equal(padded_to_multiple(padded), padded)


def test_the_mirror_image_counts_as_much_as_the_image():
    """A network that answers with the column's number: its mean with its mirror is constant."""

    def column(batch: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.arange(batch.shape[-1], dtype=np.float32), batch.shape).copy()

    said = mirrored_mean(np.zeros((3, 16, 32), np.float32), column)
    np.testing.assert_array_equal(said, np.full((3, 16, 32), 15.5, np.float32))
