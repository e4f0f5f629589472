"""LSN's table: figures of known errors, exact rows, means over images."""

import json
from dataclasses import replace

import numpy as np
import pytest

import joints
from lamella.evaluation.agreement import PSNR_CAP_DB
from lamella.evaluation.rows import LAMELLA
from lamella.evaluation.three_layer_rows import three_layer_rows
from lamella.evaluation.three_layers import (
    PUBLISHED,
    ThreeLayerScores,
    compare,
    evaluate,
    frame_agreement,
)
from lamella.records import LamellaError


def test_figures_of_a_known_error():
    joint = joints.loaded(joints.phantom()).pixels
    error = (2 * np.indices(joint.shape).sum(axis=0) % 4 - 1.0) * 4 / 255
    found = frame_agreement((joint + error).astype(np.float32), joint)
    assert found.mse == pytest.approx((4 / 255) ** 2, rel=0.02)
    assert found.psnr_db == pytest.approx(-20 * np.log10(4 / 255), abs=0.1)
    assert 0 < found.ssim < 1
    same = frame_agreement(joint, joint)
    assert (same.mse, same.ssim, same.psnr_db) == (0.0, 1.0, PSNR_CAP_DB)


def test_published_figures_agree_with_each_other():
    assert -10 * np.log10(PUBLISHED.mse) == pytest.approx(PUBLISHED.psnr_db, abs=0.1)


def test_means_are_over_images_and_intervals_by_joint():
    frames = [replace(PUBLISHED, mse=mse) for mse in (1.0, 2.0, 6.0)]
    scores = ThreeLayerScores(joints=["a", "a", "b"], frames=frames)
    assert scores.mean("mse") == pytest.approx(3.0)
    np.testing.assert_allclose(scores.by_joint("mse"), [1.5, 6.0])


def test_exact_rows_recompose_and_refusals_are_kept(tmp_path):
    def refuses(radiograph, masks):
        raise LamellaError("expected nothing")

    rows = {LAMELLA: three_layer_rows()[LAMELLA], "refuses": refuses}
    sample = [joints.loaded(joints.coarse_phantom()), joints.loaded(joints.coarse_phantom(seed=2))]
    table = compare(rows, sample, tmp_path)
    result = json.loads((tmp_path / "three_layers.json").read_text())
    ours = result["rows"][LAMELLA]
    assert ours["images"] == 2
    assert ours["mean"]["mse"] == 0.0
    assert ours["overlap_mse"] == 0.0
    assert result["rows"]["refuses"] == {"images": 0, "refused": ["expected nothing"] * 2}
    assert "| LSN, published | - | 2.190 | 0.9502 | 36.66 | 3.030 | - |" in table


def test_joints_are_needed(tmp_path):
    with pytest.raises(LamellaError, match="expected joints with sound masks"):
        compare({}, [], tmp_path)


def test_wrong_masks_do_not_take_part(manifest, tmp_path):
    evaluate(manifest, tmp_path)
    assert json.loads((tmp_path / "three_layers.json").read_text())["images"] == 3
