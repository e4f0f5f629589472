"""``lamella demo``: phantoms, their layers, and the truth beside them."""

import json

import numpy as np
import pytest

from lamella.cli import demo
from lamella.records import BoneMasks


@pytest.fixture
def two_cases(monkeypatch):
    """Two small phantoms instead of four full ones."""
    size = {"rows": 128, "cols": 128, "pixel_spacing_mm": 0.164}
    cases = {"overlap": {"jsw_mm": -0.5, **size}, "open": {"jsw_mm": 2.5, **size}}
    monkeypatch.setattr(demo, "CASES", cases)
    monkeypatch.setattr(demo, "VISITS", {"rows": 192, "cols": 192, "pixel_spacing_mm": 0.109})


def test_demo_compares_with_the_truth(lamella, two_cases, tmp_path):
    out = tmp_path / "demo"
    ran = lamella("demo", "-o", out, "--seed", "3")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[-1] == f"report: {out / 'report.html'}"
    assert "equal split" in ran.out
    assert max(map(len, ran.out.partition("\nopen: ")[0].splitlines())) < 200
    assert {"true_upper.png", "true_lower.png"} < {path.name for path in (out / "open").iterdir()}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "true bones are known" in page
    run = json.loads((out / "run.json").read_text())
    assert run["seed"] == 3
    assert run["spacing"]["open"] == "0.164 mm, phantom"


@pytest.mark.slow
def test_demo_overwrites_nothing_unforced_and_draws_by_its_seed(lamella, two_cases, tmp_path):
    out = tmp_path / "demo"
    inputs = []
    for seed, force in ((1, ()), (1, ("--force",)), (2, ("--force",))):
        assert lamella("demo", "-o", out, "--seed", seed, *force).code == 0
        before = (out / "run.json").read_text()
        inputs.append(json.loads(before)["inputs_sha256"])
        ran = lamella("demo", "-o", out, "--seed", seed)
        assert ran.code == 2
        assert "--force" in ran.err
        assert (out / "run.json").read_text() == before
    assert inputs[0] == inputs[1] != inputs[2]


def test_where_segmentation_declines_the_true_masks_are_used_and_that_is_said(
    lamella, two_cases, tmp_path, monkeypatch
):
    def segment(radiograph):
        nothing = np.zeros(radiograph.shape, bool)
        return BoneMasks(masks={"upper": nothing, "lower": nothing}, refused="not today")

    monkeypatch.setattr("lamella.zoo.verbs.segment", segment)
    ran = lamella("demo", "-o", tmp_path / "demo")
    assert ran.code == 0
    note = "segmentation declined this phantom (not today): its true masks were used"
    assert f"overlap: {note}" in ran.out
    assert note in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")


def test_a_seed_below_zero_is_refused(lamella, tmp_path):
    ran = lamella("demo", "-o", tmp_path / "demo", "--seed=-1")
    assert ran.code == 2
    assert "expected --seed from 0" in ran.err


def test_psnr_is_its_formula():
    found, true = np.full((4, 4), 0.5, np.float32), np.full((4, 4), 0.4, np.float32)
    region = np.eye(4, dtype=bool)
    assert demo.psnr_db(found, true, region) == pytest.approx(-10 * np.log10(0.01), abs=1e-4)
    assert demo.psnr_db(found, true, ~region & region) is None


def test_an_equal_split_halves_the_bone_absorbance_in_the_overlap(phantom):
    import lamella

    layers = lamella.separate(lamella.Radiograph(pixels=phantom.intensity), phantom.masks)
    split = demo.equal_split(layers)
    overlap = layers.masks.overlap
    np.testing.assert_array_equal(split["upper"][overlap], split["lower"][overlap])
    np.testing.assert_allclose(
        split["upper"][~overlap], layers.bone_image("upper")[~overlap], atol=1e-6
    )


def test_the_true_image_is_the_documented_formula(phantom):
    soft, bone = phantom.soft_absorbance, phantom.bone_absorbance["upper"]
    expected = 1 - np.exp(-(soft + bone))
    np.testing.assert_allclose(demo.true_images(phantom)["upper"], expected, atol=1e-6)
