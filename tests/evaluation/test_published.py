"""The published figures, as printed, and consistent with themselves."""

import numpy as np
import pytest

from lamella.evaluation.published import TABLE_2, TABLE_3


def test_units_are_plain():
    row = {row.method: row for row in TABLE_2}["BLS-GAN"]
    assert row.mse.mean == pytest.approx(0.88e-4)
    assert row.mse.sd == pytest.approx(0.70e-4)
    assert row.ssim.mean == pytest.approx(0.9837)
    assert row.psnr_db.sd == pytest.approx(1.72)
    assert row.row_fid.mean == pytest.approx(0.0120)


@pytest.mark.parametrize("row", [*TABLE_2, *TABLE_3], ids=lambda row: row.method)
def test_a_mean_of_psnrs_is_at_least_the_psnr_of_the_mean(row):
    """Jensen: -log is convex; a figure typed wrongly would break it. Two decimals are printed."""
    assert row.psnr_db.mean >= -10 * np.log10(row.mse.mean) - 0.05


def test_the_ablation_ends_with_the_comparison():
    full, compared = TABLE_3[-1], TABLE_2[-1]
    for key in ("mse", "ssim", "psnr_db", "row_fid"):
        assert getattr(full, key).mean == getattr(compared, key).mean
        assert getattr(full, key).sd is None
