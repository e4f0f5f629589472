"""Panels for looking: one line a pair, written where asked."""

import matplotlib.image
import pytest

import joints
from lamella.evaluation.baselines import no_separation
from lamella.evaluation.bone_pairs import bone_pair
from lamella.evaluation.cross_visit import same_for_all
from lamella.evaluation.rows import painted
from lamella.evaluation.visit_panels import CELL_INCH, panels


@pytest.fixture(scope="module")
def pair():
    crossed = joints.loaded(joints.phantom(jsw_mm=-1.0, seed=3))
    apart = joints.loaded(joints.phantom(jsw_mm=1.6, seed=3, noise_seed=9))
    return bone_pair(crossed, "lower", apart)


def test_every_pair_is_a_line_and_every_row_two_columns(pair, tmp_path):
    rows = same_for_all({"no separation": painted(no_separation)})
    picture = matplotlib.image.imread(panels([pair, pair], rows, tmp_path / "made" / "look.png"))
    height, width = picture.shape[:2]
    assert (height, width) == (round(2 * CELL_INCH * 80), round(4 * CELL_INCH * 80))
    coloured = (picture[..., :3].max(axis=-1) - picture[..., :3].min(axis=-1)) > 0.3
    assert coloured[:, : width // 4].any()
    assert coloured[:, 3 * width // 4 :].any()
    assert not coloured[:, width // 4 : 3 * width // 4].any()
