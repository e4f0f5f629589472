"""Coverage of stated intervals."""

import numpy as np
import pytest

from lamella.evaluation import calibration
from lamella.evaluation.calibration import DECILES, coverage, errors_and_sd
from lamella.evaluation.results import load
from lamella.methods.shares.calibrate import NORMAL_QUANTILE


@pytest.mark.parametrize(("factor", "expected"), [(1.0, 0.9), (0.5, 0.589), (2.0, 0.999)])
def test_coverage_of_gaussian_errors_is_the_normal_distributions(factor, expected):
    rng = np.random.default_rng(0)
    spread = np.exp(rng.uniform(-6, -2, 100_000))
    errors = rng.normal(0, spread)
    assert coverage(errors, factor * spread) == pytest.approx(expected, abs=0.005)


def test_coverage_by_hand():
    """The interval ends at 1.645 SD, its end included, on both sides."""
    spread = np.full(4, 0.1)
    errors = NORMAL_QUANTILE * spread * np.array([1.0, -1.0, 1.01, -1.01])
    assert coverage(errors, spread) == 0.5


def test_errors_are_those_of_both_bones_inside_the_overlap(phantom_case):
    known, radiograph = phantom_case
    errors, spread = errors_and_sd(known, radiograph)
    assert errors.shape == spread.shape == (2 * int(known.overlap.sum()),)
    assert (spread >= 0).all()
    assert np.abs(errors).max() < 1


def made_up(known, radiograph):
    """Gaussian errors of known SD, as many as the overlap has pixels."""
    rng = np.random.default_rng(int(known.overlap.sum()))
    spread = np.exp(rng.uniform(-6, -3, 2 * int(known.overlap.sum())))
    return rng.normal(0, spread), spread


def test_the_evaluation_finds_the_coverage_of_honest_intervals(manifest, tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "errors_and_sd", made_up)
    printed = calibration.evaluate(manifest, tmp_path)
    rows = load(tmp_path / "calibration.json")["intervals"]
    assert rows["all"]["coverage"] == pytest.approx(0.9, abs=0.02)
    deciles = [rows[f"SD decile {k + 1}"] for k in range(DECILES)]
    widths = [decile["width_grey_levels"] for decile in deciles]
    assert widths == sorted(widths)
    assert np.mean(widths) == pytest.approx(rows["all"]["width_grey_levels"], rel=0.02)
    assert all(decile["coverage"] == pytest.approx(0.9, abs=0.06) for decile in deciles)
    assert any(name.endswith("px") for name in rows)
    assert printed.count("\n") == 2 + len(rows)


def test_overconfident_intervals_are_found_out(manifest, tmp_path, monkeypatch):
    def overconfident(known, radiograph):
        errors, spread = made_up(known, radiograph)
        return errors, spread / 3

    monkeypatch.setattr(calibration, "errors_and_sd", overconfident)
    calibration.evaluate(manifest, tmp_path)
    assert load(tmp_path / "calibration.json")["intervals"]["all"]["coverage"] < 0.5
