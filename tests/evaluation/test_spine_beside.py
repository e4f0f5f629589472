"""Heights beside another tool's, and what explains a difference."""

import json

import numpy as np
import pytest

import cohorts
from lamella.evaluation.spine_beside import (
    STEP_MM,
    Beside,
    axis_lines,
    beside_table,
    heights_beside,
    voxel_columns,
)


def beside(other_mm, columns_mm=(21.0, 24.0), lines_mm=(27.0, 28.5)):
    return Beside(
        level="L1",
        zone="middle",
        lamella_mm=25.0,
        sd_mm=0.5,
        other_mm=other_mm,
        columns_mm=columns_mm,
        lines_mm=lines_mm,
    )


@pytest.mark.parametrize(
    ("other_mm", "remark"),
    [
        (24.0, ""),
        (21.0, "one column of voxels"),
        (22.5, "one column less a step"),
        (28.5, "one line along the body's axis"),
        (18.0, "not explained"),
        (30.0, "not explained"),
    ],
)
def test_columns_of_voxels_explain_a_difference_or_do_not(other_mm, remark):
    assert beside(other_mm).remark == remark
    assert beside(other_mm).difference_mm == pytest.approx(25.0 - other_mm)


def test_columns_are_whole_voxels_about_as_high_as_the_third():
    spine = cohorts.measured()
    for rank, zone in enumerate(("anterior", "middle", "posterior")):
        columns = np.array(voxel_columns(spine, spine.by_level["L2"], rank))
        assert np.allclose(columns / 2.0, np.rint(columns / 2.0))
        assert np.abs(columns - spine.by_level["L2"].heights_mm.of(zone)).min() < 3.0
        assert columns.max() < 1.3 * spine.by_level["L2"].heights_mm.whole


def test_lines_along_the_axis_are_steps_about_as_long_as_the_third():
    spine = cohorts.measured()
    for rank, zone in enumerate(("anterior", "middle", "posterior")):
        lines = np.array(axis_lines(spine, spine.by_level["L2"], rank))
        assert np.allclose(lines / STEP_MM, np.rint(lines / STEP_MM))
        assert np.abs(lines - spine.by_level["L2"].heights_mm.of(zone)).min() < STEP_MM
        assert lines.max() < 1.3 * spine.by_level["L2"].heights_mm.whole


def test_only_what_the_other_tool_measured_is_compared(tmp_path):
    report = tmp_path / "report.json"
    figures = {"vertebrae_L2_height_middle_mm": 22.5, "vertebrae_T9_height_middle_mm": 20.0}
    report.write_text(json.dumps({"results": figures}))
    found = heights_beside(cohorts.measured(), report)
    assert [(each.level, each.zone, each.other_mm) for each in found] == [("L2", "middle", 22.5)]
    height = cohorts.measured().by_level["L2"].heights_mm.middle
    assert found[0].lamella_mm == pytest.approx(height)
    assert "| L2 middle |" in beside_table(found)
