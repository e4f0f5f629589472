"""Cells, tables and CSV files by hand."""

import csv
import io

import numpy as np
import pytest

from lamella.evaluation.agreement import Agreement, JointAgreement
from lamella.evaluation.encoder import Features, SetDistance
from lamella.evaluation.fidelity import LayerFidelity
from lamella.evaluation.joint_scores import ClosedScores, Floors, JointScore, RealFeatures
from lamella.evaluation.reconstruction_tables import (
    RowSummary,
    Spread,
    cell,
    per_image_csv,
    psnr_cell,
    summary_csv,
    tables,
)

DISTANCE = SetDistance(frechet=1.5, frechet_sd=0.25, kernel=0.125, kernel_sd=0.5)
NO_FEATURES = Features(**dict.fromkeys(("joint", "overlap", "upper", "lower"), np.zeros(4)))


def score(number: int, mse: float, is_sound: bool = True) -> JointScore:
    figures = [
        Agreement(mse=mse * k, ssim=0.9, psnr_db=float(-10 * np.log10(mse * k)), row_fid=0.02 * k)
        for k in (1, 100)
    ]
    return JointScore(
        number=number,
        overlap_px=100 * number,
        is_sound=is_sound,
        agreement=JointAgreement(whole=figures[0], overlap=figures[1]),
        features=NO_FEATURES,
    )


SCORES = [score(1, 1e-4), score(2, 3e-4), score(3, 1e-2, is_sound=False)]
CLOSED = ClosedScores(fidelity=[LayerFidelity(overlap_px=50, mse=1e-3, ssim=0.8125)])
NOTHING_REAL = RealFeatures(overlapping={}, alone=[], halves=([], []))


@pytest.fixture
def summaries():
    return {"row": RowSummary.of(SCORES, CLOSED, NOTHING_REAL)}


def test_a_spread_over_images_by_hand():
    found = Spread.of([1.0, 3.0])
    assert (found.mean, found.sd) == (2.0, pytest.approx(np.sqrt(2)))
    assert np.isnan(Spread.of([]).mean)
    assert Spread.of([5.0]).sd == 0.0


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.876, 0.701), "0.88 ± 0.70"),
        ((2.456,), "2.46"),
        ((float("nan"), 1.0), "–"),
        ((0.00123, 1.0), "0.001"),
        ((3e-12, 0.0), "< 1e-06"),
        ((-2e-9, 0.0), "< 1e-06"),
        ((-0.5, 0.25), "-0.50 ± 0.25"),
    ],
)
def test_cells_never_show_a_zero_that_is_none(numbers, text):
    assert cell(*numbers) == text


def test_an_exact_psnr_is_a_bound():
    assert psnr_cell(Spread(mean=120.0, sd=0.0)) == "> 120"
    assert psnr_cell(Spread(mean=41.09, sd=1.72)) == "41.09 ± 1.72"


def test_faulty_masks_stand_apart(summaries):
    row = summaries["row"]
    assert (row.joints, row.joints_with_faulty) == (2, 3)
    assert row.whole["mse"].mean == pytest.approx(2e-4)
    assert row.whole_with_faulty["mse"].mean == pytest.approx((1e-4 + 3e-4 + 1e-2) / 3)
    assert row.overlap["mse"].mean == pytest.approx(2e-2)


def test_published_rows_stand_beside_and_are_marked(summaries):
    whole = tables(summaries, Floors(true_layers={}, real_halves={}))[0]
    assert whole.rows[0][:3] == ("row", "2", "2.00 ± 1.41")
    published = {row[0]: row for row in whole.rows}["BLS-GAN (published)"]
    assert published[1:6] == ("154", "0.88 ± 0.70", "98.37 ± 0.51", "41.09 ± 1.72", "1.20 ± 1.33")
    assert "published, full test list of 154 images" in whole.caption
    assert all(len(row) == len(whole.columns) for row in whole.rows)


def test_every_table_is_rectangular_and_prints_both_ways(summaries):
    floors = Floors(true_layers={"upper": DISTANCE, "lower": DISTANCE}, real_halves={})
    for table in tables(summaries, floors):
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert table.caption in table.markdown()
        assert rf"\label{{tab:{table.name}}}" in table.latex()
    layers = {table.name: table for table in tables(summaries, floors)}["layers"]
    assert layers.rows[0][-3:] == ("30.00", "30.00", "0.8125")
    assert layers.rows[-1][:3] == ("true layers", "1.50 ± 0.25", "0.12 ± 0.50")


def test_csv_per_image_names_no_joint_but_its_row():
    lines = list(csv.DictReader(io.StringIO(per_image_csv({"a, b": SCORES}))))
    assert [line["manifest_row"] for line in lines] == ["1", "2", "3"]
    assert lines[0]["method"] == "a, b"
    assert float(lines[1]["whole_mse"]) == pytest.approx(3e-4)
    assert float(lines[1]["overlap_row_fid"]) == pytest.approx(2.0)
    assert [line["sound_masks"] for line in lines] == ["1", "1", "0"]


def test_the_summary_has_a_column_per_figure(summaries):
    line = next(csv.DictReader(io.StringIO(summary_csv(summaries))))
    assert line["method"] == "row"
    assert float(line["whole_mse_mean"]) == pytest.approx(2e-4)
    assert float(line["layers_psnr"]) == pytest.approx(30.0)
