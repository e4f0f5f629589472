"""Numbers of a joint image: regions are where they say, and see what was done there."""

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.evaluation.joint_features import (
    BORDER_PX,
    ENCODER,
    _signed_px,
    joint_features,
    regions_of,
)
from lamella.records import BoneMasks

PHANTOM = joints.phantom(jsw_mm=1.0)
MASKS = BoneMasks(masks=PHANTOM.masks)


@pytest.fixture(scope="module")
def plain():
    return joint_features(PHANTOM.intensity, MASKS)


def test_regions_lie_where_their_names_say():
    regions = regions_of({name: _signed_px(mask) for name, mask in MASKS.items()})
    for name, mask in MASKS.items():
        assert not (regions[f"{name} bone"] & ~mask).any()
        assert regions[f"{name} outline"].sum() > 500
    bone = MASKS["upper"] | MASKS["lower"]
    assert not (regions["joint space"] & bone).any()
    assert not (regions["beside"] & bone).any()
    assert not regions["border"][BORDER_PX:-BORDER_PX, BORDER_PX:-BORDER_PX].any()
    assert not regions["overlap"].any()


def test_exposure_of_all_says_nothing_in_the_bands(plain):
    fainter = joint_features(0.5 * PHANTOM.intensity, MASKS)
    for name in ("upper bone at 1.4 px", "lower outline at 2.4 px"):
        assert fainter[name] == pytest.approx(plain[name], abs=0.25)
    assert fainter["beside at 1.4 px"] < plain["beside at 1.4 px"] - 1.0


def test_blur_of_one_bone_is_seen_in_that_bone(plain):
    smooth = ndimage.gaussian_filter(PHANTOM.intensity, 1.0)
    changed = joint_features(
        np.where(MASKS["upper"], smooth, PHANTOM.intensity).astype(np.float32), MASKS
    )
    assert changed["upper bone at 0.5 px"] < plain["upper bone at 0.5 px"] - 0.8
    assert changed["lower bone at 0.5 px"] == pytest.approx(plain["lower bone at 0.5 px"])


def test_patterns_are_shares_and_the_encoder_takes_part(plain):
    shares = [value for name, value in plain.items() if name.startswith("beside pattern")]
    assert sum(shares) == pytest.approx(1.0)
    assert sum(name.startswith(ENCODER) for name in plain) == 96
    assert np.isfinite(list(plain.values())).all()
