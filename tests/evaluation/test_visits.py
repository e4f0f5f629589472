"""Which joints were seen both ways, and which fold judges them."""

from dataclasses import replace

import pytest

import joints
from lamella.evaluation.visits import MOST_VISITS, fold_of_joint, joints_seen_both_ways
from lamella.io.datasets import joint_rows


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    crossed = [joints.coarse_phantom(jsw_mm=jsw) for jsw in (-0.6, -0.8, -1.0, -1.2)]
    apart, wrong = joints.coarse_phantom(jsw_mm=1.2), joints.phantom(jsw_mm=1.5)
    swapped = {"upper": wrong.masks["lower"], "lower": wrong.masks["upper"]}
    visits = {
        "00001_R_2": [*crossed, apart],
        "00002_R_2": [crossed[0]],
        "00003_L_5": [apart, apart],
        "00004_L_8": [crossed[0], replace(wrong, masks=swapped)],
    }
    return joint_rows(joints.write_manifest(tmp_path_factory.mktemp("mcp") / "dev.json", visits))


def test_only_joints_with_sound_visits_of_both_kinds_count(rows):
    found = joints_seen_both_ways(rows)
    assert [visits.joint for visits in found] == ["00001_R_2"]
    assert len(found[0].apart) == 1
    assert not found[0].apart[0].is_overlapping


def test_the_largest_overlaps_come_first_and_the_smallest_is_left_out(rows):
    overlapping = joints_seen_both_ways(rows)[0].overlapping
    sizes = [visit.overlap_px for visit in overlapping]
    assert len(sizes) == MOST_VISITS
    assert sizes == sorted(sizes, reverse=True)
    assert min(sizes) > joints.loaded(joints.coarse_phantom(jsw_mm=-0.6)).overlap_px


def test_every_joint_has_one_fold_and_folds_are_even(rows):
    fold = fold_of_joint(rows, folds=2)
    assert set(fold) == {row.joint for row in rows}
    assert sorted(fold.values()) == [0, 0, 1, 1]
