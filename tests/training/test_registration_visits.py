"""Visits in other poses: motions that are true, regions, pairs, and who may teach."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import joints
from lamella.io.datasets import joint_grouped_fold, joint_rows
from lamella.records import LamellaError, RigidMotion
from lamella.tasks.joint_narrowing import displacement
from lamella.training.registration_data import similarity_of
from lamella.training.registration_visits import (
    ACROSS_MM,
    ALONG_MM,
    BORDER_PX,
    MAPS,
    NOBODY,
    TURN_DEG,
    VisitAmounts,
    VisitMaterial,
    VisitPool,
    affine_of,
    frame_of,
    region_of,
    visits_of,
)

AMOUNTS = VisitAmounts(poses_per_visit=2, phantoms=1)


@pytest.fixture(scope="module")
def visits() -> list[dict[str, np.ndarray]]:
    phantom = joints.phantom(jsw_mm=0.5)
    return visits_of(joints.radiograph_of(phantom), phantom.masks, (5, 2), AMOUNTS)


@pytest.fixture(scope="module")
def material(tmp_path_factory) -> VisitMaterial:
    """Two joints, the first to be held out, the second with two visits; and a phantom."""
    folder = tmp_path_factory.mktemp("visits")
    visits = [joints.phantom(jsw_mm=0.5, noise_seed=seed) for seed in (0, 1)]
    manifest = joints.write_manifest(
        folder / "train.json", {"00001_R_2": visits[:1], "00002_L_5": visits}
    )
    amounts = VisitAmounts(poses_per_visit=1, phantoms=1)
    return VisitMaterial(manifest=manifest, cache=folder / "pool", amounts=amounts)


def test_the_first_visit_is_the_joint_as_it_stands(visits):
    phantom = joints.phantom(jsw_mm=0.5)
    still, *posed = visits
    assert [bool(each["original"]) for each in visits] == [True, False, False]
    np.testing.assert_allclose(still["images"][0] / 255, phantom.intensity, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(still["motions"], np.stack([np.eye(3)] * 2))
    for visit in posed:
        assert (visit["sources"], visit["joints"]) == (5, 2)
        assert np.abs(visit["motions"] - np.eye(3)).max() > 0.1


def test_poses_stay_within_what_is_said(visits):
    for visit in visits[1:]:
        upper, lower = (similarity_of(motion) for motion in visit["motions"])
        along, across, angle = displacement(upper, lower, frame_of(visit["frames"]))
        assert abs(along) * joints.SPACING_MM <= ALONG_MM + 0.02
        assert abs(across) * joints.SPACING_MM <= ACROSS_MM + 0.08
        assert abs(angle) <= TURN_DEG


def test_motions_are_where_the_bones_pixels_went(visits):
    """Each bone's layer image, brought back by its motion, is that of the joint as it stood."""
    still, *posed = visits
    for visit in posed:
        for bone in range(2):
            motion = visit["motions"][bone]
            image = visit["images"][1 + bone].astype(np.float32)
            back = ndimage.affine_transform(image, motion[:2, :2], motion[:2, 2], order=1)
            inside = ndimage.binary_erosion(still["regions"][bone] > 0, iterations=12)
            inside &= ndimage.affine_transform(
                visit["regions"][bone], motion[:2, :2], motion[:2, 2], order=0
            ).astype(bool)
            wanted = still["images"][1 + bone]
            ncc = [np.corrcoef(each[inside], wanted[inside])[0, 1] for each in (back, image)]
            assert ncc[0] > 0.97
            assert ncc[0] > ncc[1]


def test_an_affine_is_its_motion():
    motion = RigidMotion(down_px=2.0, right_px=-3.0, rotation_deg=20.0, centre_px=(50.0, 60.0))
    places = np.array([(1.0, 2.0), (30.0, 90.0)])
    found = np.c_[places, np.ones(2)] @ affine_of(motion).T
    np.testing.assert_allclose(found[:, :2], motion.of_points(places))


def test_regions_are_grown_masks_without_borders():
    mask = np.zeros((64, 64), bool)
    mask[:20, 30] = True
    region = region_of(mask)
    assert region[10, 28:33].all()
    assert not region[10, 33:].any()
    assert not region[:BORDER_PX].any()
    assert region[21, 30]


def test_a_joint_that_cannot_be_taken_apart_gives_nothing():
    radiograph = joints.radiograph_of(joints.phantom())
    beside = {name: np.zeros(radiograph.shape, bool) for name in ("upper", "lower")}
    beside["upper"][:100, :60] = True
    beside["lower"][150:, 190:] = True
    assert visits_of(radiograph, beside, (0, 0), AMOUNTS) == []


def test_held_out_joints_teach_nothing(material):
    training, held_out = material.training(), material.held_out()
    rows = joint_rows(material.manifest)
    names = sorted({row.joint for row in rows})
    judging = {names.index(row.joint) for row in joint_grouped_fold(rows)[1]}
    assert set(held_out.joints.tolist()) == judging
    assert set(training.joints.tolist()) == set(range(len(names))) - judging | {NOBODY}
    assert training.images.shape[1:] == (len(MAPS), 256, 256)
    assert training.regions.shape[1:] == (2, 256, 256)


def test_pairs_are_of_one_source_or_of_one_joints_visits(material):
    pool = material.training()
    for fixed, moving in pool.known_pairs:
        assert fixed != moving
        assert pool.sources[fixed] == pool.sources[moving]
    assert len(pool.real_pairs) == 2
    for fixed, moving in pool.real_pairs:
        assert pool.original[[fixed, moving]].all()
        assert pool.joints[fixed] == pool.joints[moving] != NOBODY
        assert pool.sources[fixed] != pool.sources[moving]


def test_a_pool_is_made_once(material, monkeypatch):
    before = material.training()
    monkeypatch.setattr("lamella.training.registration_visits.visits_of", None)
    after = material.training()
    np.testing.assert_array_equal(before.images, after.images)
    assert len(list(material.cache.glob("training-*.npz"))) == 1


def test_nothing_to_move_is_refused(tmp_path):
    with pytest.raises(LamellaError, match="expected joints whose bones can be moved"):
        VisitPool.kept(tmp_path / "none.npz", list)
    assert not list(tmp_path.iterdir())


def test_images_of_another_size_are_refused(tmp_path, monkeypatch):
    small = SimpleNamespace(pixels=np.zeros((128, 128)))
    monkeypatch.setattr("lamella.training.registration_visits.sound_joints", lambda _: [small])
    manifest = tmp_path / "train.json"
    manifest.write_text("[]")
    with pytest.raises(LamellaError, match="256 x 256"):
        VisitMaterial(manifest=manifest, cache=tmp_path, amounts=AMOUNTS).training()
