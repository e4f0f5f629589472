"""Spines assessed from end to end; the networks are stood in for by one that draws a box."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lamella
import straight_spines
from lamella.io.volume import write_volume
from lamella.methods.healthivert.channels import GAP_ROWS, MIDDLE_ROW, Channel
from lamella.methods.healthivert.infer import Networks
from lamella.methods.height_references.conditional import CONDITIONAL
from lamella.physics.virtual_fracture import FractureSpec
from lamella.records import VERSE_IDS, ZONES, LamellaError
from lamella.tasks.pseudo_healthy import Restored, restored_spine
from lamella.tasks.spine import compared, measured_spine
from lamella.zoo import spine as zoo
from spines import Fractures, alike, spine, told, zones

LEVELS = ("T12", "L1", "L2", "L3")


@pytest.fixture(scope="module")
def wedged():
    fractures = Fractures({"L1": FractureSpec(kind="wedge", loss=0.4)})
    return spine(levels=LEVELS, spacing_mm=2.0, fractures=fractures)


@pytest.fixture(scope="module")
def assessed(wedged):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zoo, "networks", lambda: Networks(sagittal=boxes(16), coronal=boxes(20)))
        return lamella.assess_spine(wedged.ct, wedged.labels)


def boxes(half_cols: int) -> Callable[[np.ndarray], tuple[np.ndarray, ...]]:
    """A network that draws the expected height, this broad."""

    def run(seen: np.ndarray) -> tuple[np.ndarray, ...]:
        _, _, rows, cols = seen.shape
        prior = GAP_ROWS * seen[:, Channel.PRIOR, 0, 0]
        row = np.abs(np.arange(rows) - MIDDLE_ROW)[None, :, None]
        col = np.abs(np.arange(cols) - cols / 2)[None, None, :]
        body = ((row <= prior[:, None, None] / 2) & (col < half_cols)).astype(np.float32)
        grey = np.where(body > 0, -0.2, -0.6).astype(np.float32)
        return np.stack([grey, body, grey, 0 * body], 1), np.stack([prior, prior], 1)

    return run


def test_the_fractured_vertebra_alone_is_drawn(assessed):
    assert {one.level: one.generated for one in assessed.vertebrae} == {
        "T12": False, "L1": True, "L2": False, "L3": False,
    }  # fmt: skip
    assert assessed["L1"].grade >= 2
    assert assessed["L1"].loss.kind == "wedge"


def test_the_drawing_is_given_the_heights_that_are_told(wedged, assessed):
    assert assessed.pseudo_labels is not None
    again = lamella.assess_spine(None, assessed.pseudo_labels)
    wanted, got = assessed["L1"].healthy_heights_mm, again["L1"].heights_mm
    assert [got.of(z) for z in ZONES] == pytest.approx([wanted.of(z) for z in ZONES], abs=1.2)
    assert again["L1"].grade == 0


def test_results_lie_on_the_ct_s_own_grid(wedged, assessed):
    assert assessed.pseudo_ct.hu.shape == wedged.ct.hu.shape
    assert assessed.pseudo_ct.hu.dtype == wedged.ct.hu.dtype
    np.testing.assert_array_equal(assessed.pseudo_ct.affine, wedged.ct.affine)
    grown = [(ids.ids == VERSE_IDS["L1"]).sum() for ids in (wedged.labels, assessed.pseudo_labels)]
    assert grown[1] > 1.1 * grown[0]


def test_without_a_ct_nothing_is_drawn_and_that_is_said(wedged):
    found = lamella.assess_spine(None, wedged.labels)
    assert found.pseudo_ct is None
    assert zoo.NO_CT in found.warnings
    assert found["L1"].grade >= 2


def test_every_reference_answers_through_one_interface(wedged):
    measured = measured_spine(wedged.labels)
    for reference in zoo.REFERENCES.values():
        assert all(np.isfinite(one.rhlv.whole) for one in compared(measured, reference))


def test_a_reference_is_chosen_by_name(wedged):
    found = lamella.assess_spine(None, wedged.labels, method="min-max")
    assert found["L1"].healthy.told_by == "minimum over maximum"


def test_files_are_read_and_orientation_does_not_matter(wedged, tmp_path: Path):
    write_volume(wedged.labels, tmp_path / "seg.nii.gz")
    write_volume(wedged.ct, tmp_path / "ct.nii.gz")
    straight = lamella.assess_spine(tmp_path / "ct.nii.gz", tmp_path / "seg.nii.gz", generate=())
    turned = spine(levels=LEVELS, spacing_mm=2.0, orientation="PIR", fractures=_same())
    found = lamella.assess_spine(turned.ct, turned.labels, generate=())
    for level in LEVELS:
        assert found[level].heights_mm.whole == pytest.approx(
            straight[level].heights_mm.whole, abs=0.4
        )


def _same() -> Fractures:
    return Fractures({"L1": FractureSpec(kind="wedge", loss=0.4)})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "guess"}, "expected a method among"),
        ({"generate": ("T4",)}, r"expected levels among the measured T12, L1, L2, L3, got T4"),
        ({"method": "norms", "generate": ("L1",)}, "only healthivert draws"),
    ],
)
def test_unknown_methods_and_levels_are_refused(wedged, options: dict, words: str):
    with pytest.raises(LamellaError, match=words):
        lamella.assess_spine(wedged.ct, wedged.labels, **options)


@pytest.mark.parametrize(
    ("asked", "drawn"),
    [
        (None, ("L1",)),
        (("L3", "T12"), ("T12", "L1", "L3")),
        ("L2", ("L1", "L2")),
        (("L1",), ("L1",)),
        ((), ()),
        ("all", LEVELS),
    ],
)
def test_requested_levels_are_drawn_besides_the_fractured(
    wedged, assessed, monkeypatch, asked, drawn
):
    said = []
    monkeypatch.setattr(zoo, "measured_spine", lambda *_: None)
    monkeypatch.setattr(zoo, "compared", lambda *_: assessed.vertebrae)
    monkeypatch.setattr(
        zoo, "drawn_upon", lambda found, _, wanted, __: said.append(wanted) or found
    )
    lamella.assess_spine(wedged.ct, wedged.labels, generate=asked)
    assert said == ([drawn] if drawn else [])


def test_heights_in_which_a_drawing_has_no_say_are_not_told_by_it(assessed):
    assert zoo.fusion().drawn_weight == 0.0
    assert assessed["L1"].generated
    assert assessed["L1"].healthy.told_by == CONDITIONAL


def test_what_cannot_be_drawn_keeps_its_loss_and_says_so(wedged, monkeypatch):
    def nothing(seen: np.ndarray) -> tuple[np.ndarray, ...]:
        return np.zeros((len(seen), 4, *seen.shape[2:]), np.float32), np.zeros((len(seen), 2))

    monkeypatch.setattr(zoo, "networks", lambda: Networks(sagittal=nothing))
    found = lamella.assess_spine(wedged.ct, wedged.labels)
    assert found["L1"].grade >= 2
    assert not found["L1"].generated
    assert "not drawn: expected a body of L1 to be drawn, got nothing" in found["L1"].flags
    assert (found.pseudo_ct, found.pseudo_labels) == (None, None)


def test_a_restored_vertebra_is_not_drawn_again_beside_the_next(monkeypatch):
    levels = ("T12", "L1", "L2")
    straight = straight_spines.spine(dict.fromkeys(levels, straight_spines.Block()))
    asked = {}

    def redrawn(straight, level, told, abnormal, how):
        asked[level] = set(abnormal)
        still = np.zeros(straight.ids.shape[1])
        return Restored(straight=straight, shift_down_mm=still, healthy=told)

    monkeypatch.setattr(zoo, "redrawn", redrawn)
    restorer = zoo._Restorer(abnormal=dict.fromkeys(levels, alike(24.0)), tell=lambda _: None)
    restored_spine(straight, dict.fromkeys(levels, told(alike(24.0))), restorer)
    assert asked == {"T12": {"T12", "L1", "L2"}, "L1": {"L1", "L2"}, "L2": {"L2"}}


def test_fusion_is_a_weighted_mean_of_logarithms():
    heights = told(zones(16.0, 25.0, 36.0))
    drawn = zones(25.0, 25.0, 36.0)
    assert zoo.fused(heights, drawn, 0.0).heights_mm.anterior == pytest.approx(16.0)
    assert zoo.fused(heights, drawn, 0.5).heights_mm.anterior == pytest.approx(20.0)
    assert zoo.fused(heights, drawn, 1.0).heights_mm.anterior == pytest.approx(25.0)
    assert zoo.fused(heights, drawn, 0.5).heights_mm.whole == pytest.approx((20 + 25 + 36) / 3)
