"""The sample: one sound visit a joint, the same every time."""

import pytest

import joints
from lamella.evaluation import joint_sample
from lamella.evaluation.joint_sample import one_visit_a_joint, with_spacing
from lamella.prepare.grid import NETWORK_SPACING_MM
from lamella.records import LamellaError, SpacingSource


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    phantom = joints.coarse_phantom()
    visits = {f"{number:05d}_R_2": [phantom, phantom] for number in range(6)}
    return joints.write_manifest(tmp_path_factory.mktemp("mcp") / "dev.json", visits)


def test_one_visit_of_each_joint_and_no_more_than_asked(many):
    sample = one_visit_a_joint(many, 100)
    assert sorted(joint.row.joint for joint in sample) == [f"{n:05d}_R_2" for n in range(6)]
    fewer = one_visit_a_joint(many, 5)
    assert [joint.row.image for joint in fewer] == [joint.row.image for joint in sample[:5]]


def test_visits_are_drawn_not_always_the_first(many):
    assert len({joint.row.image.name for joint in one_visit_a_joint(many, 6)}) == 2


def test_wrong_masks_do_not_count(manifest, monkeypatch):
    with pytest.raises(LamellaError, match="expected 5 joints or more with sound masks, got 3"):
        one_visit_a_joint(manifest, 10)
    monkeypatch.setattr(joint_sample, "FEWEST_JOINTS", 3)
    assert "00004_L_3" not in {joint.row.joint for joint in one_visit_a_joint(manifest, 10)}


def test_joints_of_a_data_set_get_the_networks_spacing():
    radiograph = with_spacing(joints.loaded(joints.coarse_phantom()))
    assert radiograph.pixel_spacing_mm == NETWORK_SPACING_MM
    assert radiograph.spacing_source is SpacingSource.GIVEN
