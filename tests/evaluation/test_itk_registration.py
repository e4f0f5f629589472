"""ITK finds the motions of phantoms' bones: the conversion of its coordinates is right."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from joints import SPACING_MM, phantom, radiograph_of
from lamella.evaluation.itk_registration import bone_absorbance, register_by_itk
from lamella.records import BoneMasks, JointVisit, LamellaError, Layers, RegisteredBone, Similarity
from lamella.tasks.joint_narrowing import measure_narrowing
from lamella.tasks.joint_width import EXACT, measure_joint_space

pytestmark = pytest.mark.slow

MADE = Similarity(
    down_px=3.4, right_px=-2.3, rotation_deg=4.0, scale=1.02, centre_px=(100.0, 120.0)
)


MARGIN = np.array([20.0, 0.0])
"""Rows beyond the crop, at the top and at the bottom, from which moved bones come in."""


def visit(motion: Similarity | None = None, layered: bool = True, **spec: float) -> JointVisit:
    """A phantom with its true layers: the registration alone is measured here."""
    joint = phantom(**({"jsw_mm": 1.5, "seed": 3, "rows": 296} | spec))
    rows = slice(20, -20)
    bones = {name: brought(bone, motion)[rows] for name, bone in joint.bone_absorbance.items()}
    masks = {name: brought(mask, motion)[rows] > 0.5 for name, mask in joint.masks.items()}
    radiograph = radiograph_of(joint, pixels=joint.intensity[rows])
    layers = Layers(
        soft_absorbance=joint.soft_absorbance[rows],
        bone_absorbance=bones,
        masks=BoneMasks(masks=masks),
        radiograph=radiograph,
        share_sd=np.zeros(radiograph.shape, np.float32),
    )
    return JointVisit(
        radiograph=radiograph,
        masks=layers.masks,
        space=measure_joint_space(masks, SPACING_MM, EXACT),
        layers=layers if layered else None,
    )


def brought(image: np.ndarray, motion: Similarity | None) -> np.ndarray:
    """The image after a motion of the crop: each place shows what lay there before."""
    if motion is None:
        return image.astype(np.float32)
    places = np.argwhere(np.ones(image.shape, bool)) - MARGIN
    before = motion.inverse().of_points(places) + MARGIN
    values = ndimage.map_coordinates(image.astype(np.float32), before.T, order=3)
    return np.maximum(values, 0.0).reshape(image.shape)


def test_a_known_similarity_is_found():
    baseline = visit()
    bones = register_by_itk(baseline, visit(MADE))
    for name, bone in bones.items():
        arc = baseline.ends[name].arc_px
        assert np.abs(bone.motion.of_points(arc) - MADE.of_points(arc)).max() < 0.02
        assert bone.motion.rotation_deg == pytest.approx(4.0, abs=0.05)
        assert bone.motion.scale == pytest.approx(1.02, abs=1e-3)
        assert bone.ncc > 0.99


@lru_cache(maxsize=1)
def narrowed() -> tuple[JointVisit, JointVisit]:
    return visit(), visit(jsw_mm=1.1, noise_seed=2)


@lru_cache(maxsize=1)
def rigidly() -> Mapping[str, RegisteredBone]:
    """Both bones of the narrowed joint, registered without magnification."""
    return register_by_itk(*narrowed(), False)


def test_narrowing_of_a_phantom():
    found = measure_narrowing(*narrowed(), lambda *_: rigidly(), "itk")
    assert found.jsn_px * SPACING_MM == pytest.approx(0.4, abs=0.001)
    assert found.lateral_px == pytest.approx(0.0, abs=0.02)
    assert found.angle_deg == pytest.approx(0.0, abs=0.02)
    assert found.agreement > 0.99
    assert {bone.motion.scale for bone in rigidly().values()} == {1.0}
    assert all(np.isnan(bone.along_sd_px) for bone in rigidly().values())


def test_repeats_to_the_bit():
    again = register_by_itk(*narrowed(), False)
    assert {name: bone.motion for name, bone in again.items()} == {
        name: bone.motion for name, bone in rigidly().items()
    }


def test_other_bones_agree_less():
    other = register_by_itk(narrowed()[0], visit(seed=4), False)
    assert max(bone.ncc for bone in other.values()) < 0.95


def test_without_layers_the_radiograph_is_compared():
    plain = visit(layered=False)
    expected = -np.log1p(-plain.radiograph.pixels)
    assert bone_absorbance(plain, "upper") == pytest.approx(expected, abs=1e-6)
    layered = visit()
    assert (bone_absorbance(layered, "upper") == layered.layers.bone_absorbance["upper"]).all()


def test_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(LamellaError, match=r"pip install 'lamella\[itk\]'"):
        register_by_itk(*narrowed())


def test_bones_that_never_meet_do_not_agree():
    """The follow-up's outlines lie far outside of its crop."""
    baseline = visit()
    ends = {name: replace(end, arc_px=end.arc_px + 900.0) for name, end in baseline.ends.items()}
    far = replace(baseline, space=replace(baseline.space, ends=ends))
    assert [bone.ncc for bone in register_by_itk(baseline, far).values()] == [0.0, 0.0]
