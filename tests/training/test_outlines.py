"""The spread of segmented outlines, from pairs whose error is known."""

import numpy as np
import pytest

from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.training.outlines import FEWEST_JOINTS, fitted_outline_error


def bars(gap_px: int) -> dict[str, np.ndarray]:
    rows, cols = np.mgrid[:256, :256]
    beside = np.abs(cols - 127.5) < 80
    return {"upper": beside & (rows < 120), "lower": beside & (rows >= 120 + gap_px)}


def test_ninety_percent_of_the_widths_are_covered():
    errors_px = [1, -1, 2, -2, 3, -3, 1, 0, 2, -4]
    pairs = [(bars(12 + error), bars(12)) for error in errors_px]
    fitted = fitted_outline_error(pairs)["apart"]
    q90 = np.percentile(np.abs(errors_px), 90) * NETWORK_SPACING_MM
    assert fitted["offset_mm"] * np.sqrt(2) * 1.645 == pytest.approx(q90, abs=2e-3)
    assert fitted["ripple_mm"] == pytest.approx(0.0, abs=5e-3)
    assert fitted["joints"] == 10


def test_overlapping_joints_have_their_own_figures_when_there_are_enough():
    apart = [(bars(13), bars(12))] * FEWEST_JOINTS
    shut = [(bars(-9), bars(-12))] * FEWEST_JOINTS
    fitted = fitted_outline_error([*apart, *shut])
    ratio = fitted["overlapping"]["offset_mm"] / fitted["apart"]["offset_mm"]
    assert ratio == pytest.approx(3.0, rel=0.02)
    few = fitted_outline_error([*apart, *shut[:2]])
    assert few["overlapping"]["joints"] == FEWEST_JOINTS + 2


def test_pairs_that_cannot_be_measured_do_not_count():
    nothing = bars(12) | {"lower": np.zeros((256, 256), bool)}
    pairs = [(bars(13), bars(12))] * 3
    assert fitted_outline_error([*pairs, (nothing, bars(12))])["apart"]["joints"] == 3
    assert fitted_outline_error([]) == {"apart": {}, "overlapping": {}}
