"""Figures: bins, labels and windows by hand; files that show something and are reproducible."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.evaluation.figures import (
    PanelCase,
    Quantity,
    binned,
    overlap_curves,
    panels,
    shown_window,
    spread_apart,
)
from lamella.evaluation.rows import Separated


def test_bins_hold_equally_many_joints_in_order_of_overlap():
    overlap_px = np.arange(36, 0, -1, dtype=np.float64)
    found = binned(overlap_px, overlap_px * 10)
    np.testing.assert_array_equal(found.overlap_px, [5.0, 14.0, 23.0, 32.0])
    np.testing.assert_array_equal(found.median, [50.0, 140.0, 230.0, 320.0])
    np.testing.assert_array_equal(found.low, [30.0, 120.0, 210.0, 300.0])
    np.testing.assert_array_equal(found.high, [70.0, 160.0, 250.0, 340.0])


def test_few_joints_are_one_bin():
    assert binned(np.array([3.0, 1.0]), np.array([0.0, 1.0])).median.tolist() == [0.5]


def test_labels_move_apart_and_no_further_than_needed():
    assert spread_apart([0.5, 0.1, 0.9], 0.05) == pytest.approx([0.5, 0.1, 0.9])
    assert spread_apart([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])
    placed = spread_apart([0.3, 0.31, 0.29, 0.8, 0.32], 0.06)
    assert np.diff(np.sort(placed)).min() >= 0.06 - 1e-12
    assert np.argsort(placed).tolist() == [2, 0, 1, 4, 3]


def test_rounding_is_named_not_drawn():
    values = {"exact": np.array([0.0, 1e-15, 1e-3]), "not": np.array([1e-3, 1e-3, 0.0])}
    quantity = Quantity(title="MSE", values=values, exact_below=1e-12)
    assert quantity.is_exact("exact")
    assert not quantity.is_exact("not")
    assert Quantity(title="PSNR", values={"a": np.array([120.0])}, exact_above=120.0).is_exact("a")


def test_the_window_holds_the_overlap():
    overlap = np.zeros((200, 240), bool)
    overlap[150:199, 100:140] = True
    rows, cols = shown_window(overlap)
    assert (rows.stop - rows.start, cols.stop - cols.start) == (100, 100)
    assert rows.stop == 200
    assert overlap[rows, cols].sum() == overlap.sum()
    overlap[10] = True
    assert shown_window(overlap)[0] == slice(0, 200)
    assert shown_window(np.zeros((8, 8), bool)) == (slice(None), slice(None))


def ink(path) -> float:
    """Fraction of pixels that are not white."""
    with PillowImage.open(path) as image:
        return float((np.asarray(image.convert("L")) < 250).mean())


@pytest.mark.slow
def test_curves_are_drawn_and_drawn_again_alike(tmp_path):
    overlap_px = np.linspace(20, 900, 30)
    values = {f"row {k}": overlap_px * 10.0**-k for k in range(3)} | {"exact": np.zeros(30)}
    quantities = [
        Quantity(title="MSE", values=values, log=True, exact_below=1e-12),
        Quantity(title="SSIM", values=values),
        Quantity(title="all exact", values={"exact": np.zeros(30)}, exact_below=1e-9),
    ]
    overlap_curves(quantities, overlap_px, tmp_path / "one")
    overlap_curves(quantities, overlap_px, tmp_path / "two")
    assert ink(tmp_path / "one.png") > 0.01
    for suffix in (".png", ".pdf"):
        one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
        assert one == two


def test_panels_show_every_row_and_their_errors(phantom_case, tmp_path):
    known, radiograph = phantom_case
    truth = tuple(known.bone_image(name) for name in known.masks)
    wrong = np.clip(radiograph.pixels + 0.2 * known.overlap, 0, 1).astype(np.float32)
    rows = {
        "exact": lambda *_: Separated(layers=truth, recomposed=radiograph.pixels),
        "wrong": lambda *_: Separated(layers=truth, recomposed=wrong),
    }
    case = PanelCase(name="phantom", radiograph=radiograph, masks=known.masks, true_layers=truth)
    written = panels(rows, [case], tmp_path / "new")
    assert written == [tmp_path / "new" / "phantom.png"]
    assert (tmp_path / "new" / "phantom.pdf").stat().st_size > 10_000
    with PillowImage.open(written[0]) as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    is_red = (picture[..., 0] - picture[..., 2]) > 60
    is_red[:, int(0.9 * is_red.shape[1]) :] = False  # the colour bar
    in_errors = is_red[:, int(0.74 * is_red.shape[1]) :]
    lines = np.array_split(in_errors, 3)
    assert lines[2].sum() > 100
    assert lines[1].sum() == 0
