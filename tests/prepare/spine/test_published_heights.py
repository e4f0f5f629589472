"""The published relative height loss: boxes with known losses, and its known faults."""

import nibabel as nib
import numpy as np
import pytest

from lamella.prepare.spine.published_heights import published_rhlv
from lamella.records.images import LamellaError
from lamella.records.vertebra import ZONES


def box(heights: np.ndarray, width: int = 30) -> np.ndarray:
    """A body whose column k from the front is ``heights[k]`` voxels tall."""
    body = np.zeros((60, len(heights) + 10, width + 10), dtype=np.bool_)
    for column, height in enumerate(heights):
        body[30 : 30 + int(height), 5 + column, 5 : 5 + width] = True
    return body


FULL = box(np.full(30, 25))


def test_a_body_against_itself_lost_nothing() -> None:
    loss = published_rhlv(FULL, FULL)
    assert [value for _, value in loss.rhlv] == [0.0] * 4
    assert loss.min_max == 1.0


def test_an_anterior_wedge_of_20_per_cent() -> None:
    wedge = box(np.r_[np.full(10, 20), np.full(20, 25)])
    loss = published_rhlv(FULL, wedge)
    # The cut is at a third of the last index: one wedged column belongs to the middle.
    assert loss.rhlv.anterior == pytest.approx(0.2, abs=1e-6)
    assert loss.rhlv.middle == pytest.approx(0.2 / 10, abs=1e-6)
    assert loss.rhlv.posterior == pytest.approx(0.0, abs=1e-6)
    assert loss.rhlv.whole == pytest.approx(0.2 / 3, abs=1e-6)


def test_height_gained_is_hidden() -> None:
    grown = box(np.full(30, 30))
    assert published_rhlv(FULL, grown).rhlv.whole == pytest.approx(0.0, abs=1e-6)


def test_low_columns_are_dropped() -> None:
    rim = box(np.r_[np.full(3, 5), np.full(27, 25)])
    assert published_rhlv(rim, rim).original.anterior == 25.0
    assert published_rhlv(rim, rim, tau=0.1).original.anterior < 20.0


def test_bodies_must_be_comparable() -> None:
    with pytest.raises(LamellaError, match="one grid"):
        published_rhlv(FULL, FULL[:-1])
    with pytest.raises(LamellaError, match="empty"):
        published_rhlv(FULL, np.zeros_like(FULL))


@pytest.mark.parametrize(
    ("number", "heights", "min_max"),
    [
        (18, (19.1, 18.0, 20.6), 0.87),
        (19, (22.6, 21.9, 23.5), 0.93),
        (20, (17.8, 12.8, 16.4), 0.72),
        (21, (17.1, 14.3, 19.5), 0.73),
        (22, (21.2, 16.6, 19.1), 0.78),
        (23, (17.5, 13.9, 16.9), 0.79),
    ],
)
def test_the_published_sample(lamella_data, number, heights, min_max) -> None:
    folder = lamella_data / "spine" / "healthivert_0007" / "straightened_label"
    crop = np.asanyarray(nib.load(folder / f"0007_{number}.nii.gz").dataobj)
    body = crop == number
    loss = published_rhlv(body, body)
    assert [loss.original.of(zone) for zone in ZONES] == pytest.approx(heights, abs=0.051)
    assert loss.min_max == pytest.approx(min_max, abs=0.0051)
