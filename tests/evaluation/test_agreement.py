"""R against J: figures by hand on small errors."""

import numpy as np
import pytest

import joints
from lamella.evaluation.agreement import PSNR_CAP_DB, agreement

MASKS = {"upper": np.zeros((64, 64), bool), "lower": np.zeros((64, 64), bool)}
MASKS["upper"][8:36, 16:48] = True
MASKS["lower"][28:60, 16:48] = True
OVERLAP = MASKS["upper"] & MASKS["lower"]


def test_an_error_in_the_overlap_by_hand():
    joint = np.full((64, 64), 0.5, np.float32)
    recomposed = joint + np.float32(0.1) * OVERLAP
    found = agreement(recomposed, joint, MASKS)
    assert found.overlap.mse == pytest.approx(0.01, rel=1e-5)
    assert found.overlap.psnr_db == pytest.approx(20.0, abs=1e-4)
    assert found.whole.mse == pytest.approx(0.01 * OVERLAP.mean(), rel=1e-5)
    assert 0 < found.whole.ssim < 1
    assert found.whole.row_fid > 0


def test_what_lies_outside_the_bones_counts_as_zeros():
    joint = joints.phantom().intensity[:64, :64].astype(np.float32)
    recomposed = np.where(MASKS["upper"] | MASKS["lower"], joint, 1.0).astype(np.float32)
    found = agreement(recomposed, joint, MASKS)
    assert found.whole.mse == 0.0
    assert found.whole.ssim == pytest.approx(1.0)


def test_an_error_outside_the_overlap_leaves_its_squares_alone():
    joint = np.full((64, 64), 0.5, np.float32)
    recomposed = joint.copy()
    recomposed[10, 20] = 0.9
    found = agreement(recomposed, joint, MASKS)
    assert found.whole.mse > 0
    assert found.overlap.mse == 0.0
    assert found.overlap.row_fid < 1e-12


def test_equal_images_are_at_the_cap():
    joint = joints.phantom().intensity[:64, :64].astype(np.float32)
    for found in (lambda pair: (pair.whole, pair.overlap))(agreement(joint, joint, MASKS)):
        assert found.psnr_db == PSNR_CAP_DB
        assert found.mse == 0.0
        assert found.ssim == pytest.approx(1.0)
        assert found.row_fid < 1e-12
