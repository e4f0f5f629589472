"""Does separation help? Worked out on cases made by hand."""

import numpy as np
import pytest

from lamella.evaluation.narrowing_cases import NarrowingCase
from lamella.evaluation.narrowing_separation import (
    difference,
    separation_result,
    separation_tables,
)
from lamella.evaluation.narrowing_visit_cases import VisitCase


def cases(gain: float, missing: int = -1) -> list[VisitCase]:
    """Ten joints of growing overlap; a gain in MSE at overlaps over 200 px only."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(10):
        overlap_px = 60 * number
        mse = 0.01 + 0.001 * float(rng.random())
        if overlap_px > 200:
            mse -= gain * (1.0 + 0.01 * number)
        bones = {} if number == missing else {"upper": mse, "lower": mse}
        made.append(
            VisitCase(
                joint=str(number),
                first=0,
                last=1,
                overlap_px=overlap_px,
                case=NarrowingCase(joint=str(number)),
                mse=bones,
            )
        )
    return made


def test_a_gain_is_found_where_it_is(tmp_path):
    found = separation_result({"exact": cases(0.002), "no-separation": cases(0.0)}, tmp_path / "c")
    large = found["minus_no_separation"]["over 200"]["exact"]
    assert large.difference.mean == pytest.approx(-0.002 * 1.065)
    assert (large.bones, large.joints) == (12, 6)
    assert max(large.t_p, large.rank_p) < 0.05
    assert found["minus_no_separation"]["0-20"]["exact"].difference.mean == 0.0
    assert found["bones"]["all"] == 20
    assert (tmp_path / "c.png").exists()
    tables = separation_tables(found)
    assert len(tables) == 3
    assert "-21.30" in tables[2]


def test_only_bones_that_every_method_registered_count(tmp_path):
    rows = {"exact": cases(0.002, missing=7), "no-separation": cases(0.0)}
    found = separation_result(rows, tmp_path / "c")
    assert found["bones"]["all"] == 18
    assert found["minus_no_separation"]["all"]["exact"].joints == 9


def test_chance_is_not_significant():
    rng = np.random.default_rng(3)
    keys = [(str(k), 0, 1, "upper") for k in range(40)]
    without = {key: float(rng.random()) for key in keys}
    rows = {key: without[key] + float(rng.normal(0, 0.1)) for key in keys}
    found = difference(rows, without, keys)
    assert found.difference.low < 0 < found.difference.high
    assert min(found.t_p, found.rank_p) > 0.05


def test_without_the_row_there_is_no_difference(tmp_path):
    found = separation_result({"exact": cases(0.0)}, tmp_path / "c")
    assert found["minus_no_separation"] == {}
    assert len(separation_tables(found)) == 1
