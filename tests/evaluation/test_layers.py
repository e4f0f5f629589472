"""The layer benchmark: perfect layers score highest, no separation lowest, tables hold it all."""

import numpy as np
import pytest

from lamella.evaluation import layers
from lamella.evaluation.baselines import no_separation
from lamella.evaluation.fidelity import LayerFidelity, bin_names, psnr_db
from lamella.evaluation.results import load


def score(overlap_px: int, mse: float, ssim: float = 0.9) -> LayerFidelity:
    return LayerFidelity(overlap_px=overlap_px, mse=mse, ssim=ssim)


def test_true_layers_score_far_above_no_separation(closed_cases):
    known, _ = closed_cases[0]
    truth = [known.bone_image(name) for name in known.masks]
    rows = {"truth": lambda *_: truth, "no separation": no_separation}
    scores = layers.measure(closed_cases[:1], rows)
    assert layers.summary(scores["truth"])["psnr"] > 100
    assert layers.summary(scores["truth"])["ssim"] == pytest.approx(1.0)
    assert layers.summary(scores["no separation"])["psnr"] < 30


def test_layers_in_the_wrong_order_score_low(closed_cases):
    known, radiograph = closed_cases[0]
    swapped = [known.bone_image(name) for name in ("lower", "upper")]
    scores = layers.measure([(known, radiograph)], {"swapped": lambda *_: swapped})
    assert layers.summary(scores["swapped"])["psnr"] < 40


def test_every_method_sees_every_case_with_the_true_masks(closed_cases):
    seen = []

    def method(radiograph, masks):
        seen.append((radiograph.pixels, dict(masks)))
        return no_separation(radiograph, masks)

    scores = layers.measure(closed_cases[:2], {"one": method, "two": method})
    assert {name: len(found) for name, found in scores.items()} == {"one": 2, "two": 2}
    for number, (pixels, masks) in enumerate(seen):
        known, radiograph = closed_cases[number // 2]
        np.testing.assert_array_equal(pixels, radiograph.pixels)
        assert list(masks) == list(known.masks)


def test_summary_by_hand():
    """PSNR of the mean error, not the mean of PSNRs; bins by overlap."""
    found = layers.summary([score(50, 1e-2), score(60, 1e-4, 0.7), score(3000, 1e-3, 0.8)])
    assert found["cases"] == 3
    assert found["psnr"] == pytest.approx(psnr_db((1e-2 + 1e-4 + 1e-3) / 3))
    assert found["psnr_median"] == pytest.approx(30.0)
    assert found["psnr_5th_percentile"] == pytest.approx(21.0)
    assert found["ssim"] == pytest.approx(0.8)
    assert found["psnr_20-199"] == pytest.approx(psnr_db((1e-2 + 1e-4) / 2))
    assert found["psnr_>=2000"] == pytest.approx(30.0)
    assert (found["cases_20-199"], found["cases_>=2000"]) == (2, 1)
    assert "psnr_500-999" not in found


def test_lamellas_layers_come_in_the_order_of_the_masks(phantom_case):
    known, radiograph = phantom_case
    straight = layers.lamella_layers(radiograph, dict(known.masks))
    turned = layers.lamella_layers(radiograph, dict(reversed(known.masks.items())))
    for one, other in zip(straight, turned[::-1], strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_table_compares_lamella_with_all_that_is_simpler():
    assert list(layers.methods())[-1] == "Lamella"
    assert len(layers.methods()) == 6


def test_the_evaluation_writes_what_it_prints(manifest, tmp_path, monkeypatch):
    """Two joints and one phantom; inpainting, which takes long, is left out."""
    kept = {name: layers.methods()[name] for name in ("no separation", "equal split", "Lamella")}
    monkeypatch.setattr(layers, "methods", lambda: kept)
    monkeypatch.setattr(layers, "PHANTOMS", 1)
    printed = layers.evaluate(manifest, tmp_path)
    result = load(tmp_path / "layers.json")
    assert printed == (tmp_path / "layers.md").read_text(encoding="utf-8")
    for name in ("closed joints", "phantoms"):
        assert set(result[name]) == set(kept)
        assert f"**{name}**, {result[name]['Lamella']['cases']} cases" in printed
        assert result[name]["equal split"]["psnr"] > result[name]["no separation"]["psnr"]
    cases = result["closed joints"]["Lamella"]
    assert sum(cases.get(f"cases_{name}", 0) for name in bin_names()) == cases["cases"]
