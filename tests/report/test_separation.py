"""The document of a separation run: what it says, what it hides, how large it is."""

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as PillowImage

from lamella.records import Layers, RunRecord
from lamella.report import SeparationCase, separation, separation_page, wording

LARGEST_CASE_BYTES = 350_000


def case(layers: Layers | None, name: str = "joint 1", **more: object) -> SeparationCase:
    return SeparationCase(name=name, layers=layers, **more)  # type: ignore[arg-type]


def pixels(page: str, index: int = 0) -> dict:
    found = re.search(rf'id="pixels-{index}">(.*?)</script>', page, re.S)
    assert found
    return json.loads(found[1])


def decoded(uri: str) -> np.ndarray:
    with PillowImage.open(io.BytesIO(base64.b64decode(uri.split(",", 1)[1]))) as picture:
        return np.asarray(picture).astype(float)


def test_nothing_points_outside(layers: Layers, run: RunRecord) -> None:
    page = separation_page([case(layers)], run)
    assert "http://" not in page
    assert "https://" not in page
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "url(" not in re.sub(r"url\(#hatch-[\w-]+\)", "", page)
    assert "@import" not in page
    assert "<link" not in page


def test_policy_forbids_every_other_source(layers: Layers, run: RunRecord) -> None:
    page = separation_page([case(layers)], run)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy
    assert policy[1].startswith("default-src 'none'; img-src data:;")


def test_stored_layers_are_the_layers(layers: Layers, run: RunRecord) -> None:
    stored = pixels(separation_page([case(layers)], run))["images"]
    expected = {
        "input": layers.radiograph.pixels,
        "bone-upper": layers.bone_image("upper"),
        "bone-lower": layers.bone_image("lower"),
        "soft": layers.soft_image(),
    }
    for key, values in expected.items():
        assert np.abs(decoded(stored[key]) / 255 - values).max() <= 1 / 255


def test_an_exact_recomposition_is_stored_once(layers: Layers, run: RunRecord) -> None:
    stored = pixels(separation_page([case(layers)], run))
    assert stored["same"] == {"recomposed": "input"}
    assert "recomposed" not in stored["images"]


def test_shares_and_spread_read_back(layers: Layers, run: RunRecord) -> None:
    stored = pixels(separation_page([case(layers)], run))
    upper, lower = (layers.bone_absorbance[name] for name in ("upper", "lower"))
    bone = upper + lower > 0
    share = decoded(stored["shares"]["bone-upper"]) / 255
    np.testing.assert_allclose(share[bone], (upper / (upper + lower + 1e-12))[bone], atol=1 / 255)
    spread = stored["maps"]["spread"]
    read = decoded(spread["image"]) / 255 * spread["scale"]
    np.testing.assert_allclose(read, layers.share_sd, atol=spread["scale"] / 255)


def test_exactness_is_said_and_bounded(layers: Layers, run: RunRecord) -> None:
    page = separation_page([case(layers)], run)
    said = re.search(r"Exact: recomposition error at most ([\d.]+) grey levels", page)
    assert said
    assert float(said[1]) >= np.abs(layers.residual()).max() * 255


def test_a_residual_is_signed_and_printed(layers: Layers, run: RunRecord) -> None:
    soft = layers.soft_absorbance + np.float32(0.05)
    page = separation_page([case(replace(layers, soft_absorbance=soft))], run)
    residual = pixels(page)["maps"]["residual"]
    levels = (decoded(residual["image"]) - 128) / 127 * residual["scale"]
    expected = (
        layers.radiograph.pixels + np.expm1(-(soft + sum(layers.bone_absorbance.values())))
    ) * 255
    np.testing.assert_allclose(levels, expected, atol=residual["scale"] / 127)
    assert "Exact" not in page
    assert (levels < 0).all()


def test_a_known_spacing_is_printed_with_its_source(layers: Layers, run: RunRecord) -> None:
    assert "0.1 mm per pixel, given by the user" in separation_page([case(layers)], run)


def test_unknown_spacing_never_prints_millimetres(
    make_layers: Callable[..., Layers], run: RunRecord
) -> None:
    page = separation_page([case(make_layers(spacing_mm=None))], run)
    assert not re.search(r"\bmm\b", page)
    assert "spacing unknown: no millimetres" in page
    assert pixels(page)["ruler"] == {"per_pixel": 1.0, "unit": "px"}


@pytest.mark.parametrize(("failed", "status"), [(False, "refused"), (True, "failed")])
def test_a_joint_without_layers_says_why(run: RunRecord, failed: bool, status: str) -> None:
    lost = case(None, problem="only one\nbone was found", failed=failed)
    page = separation_page([lost], run)
    assert lost.status == status
    assert '<p class="why">only one bone was found</p>' in page
    assert f'<span class="badge {status}">' in page
    assert 'id="pixels-0"' not in page


def test_flags_confidence_and_warnings_are_badges(
    make_layers: Callable[..., Layers], run: RunRecord
) -> None:
    layers = make_layers(flags=("possible sesamoid",))
    radiograph = replace(layers.radiograph, warnings=("spacing at the detector",))
    flagged = case(replace(layers, radiograph=radiograph))
    page = separation_page([flagged], run)
    assert flagged.status == "flagged"
    for text in ("possible sesamoid", "spacing at the detector", "0.93", "disc maker", "hand-made"):
        assert text in page


def test_saturated_pixels_are_counted(layers: Layers, run: RunRecord) -> None:
    pixels_in = layers.radiograph.pixels.copy()
    pixels_in[40:42, 40:45] = 1.0
    radiograph = replace(layers.radiograph, pixels=pixels_in)
    page = separation_page([case(replace(layers, radiograph=radiograph))], run)
    assert "10 saturated pixels: absorbance there is a lower bound" in page


def test_names_and_words_are_escaped(layers: Layers, run: RunRecord) -> None:
    name = "<script>alert(1)</script>"
    cases = [case(layers, name), case(None, name, problem="</template><img src=x>")]
    page = separation_page(cases, run, title="<i>t</i>")
    assert "<script>alert" not in page
    assert "<i>t</i>" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_bone_names_cannot_close_the_script(layers: Layers, run: RunRecord) -> None:
    odd = "</script><b>"
    bones = {odd: layers.bone_absorbance["upper"], "lower": layers.bone_absorbance["lower"]}
    masks = replace(
        layers.masks, masks={odd: layers.masks["upper"], "lower": layers.masks["lower"]}
    )
    page = separation_page([case(replace(layers, bone_absorbance=bones, masks=masks))], run)
    assert "</script><b>" not in page.lower()
    assert f"bone-{odd}" in pixels(page)["images"]


def test_what_could_name_a_person_is_left_out(layers: Layers, run: RunRecord) -> None:
    page = separation_page([case(layers)], run)
    words = re.sub(r"data:image/png;base64,[\w+/=]+", "", page).lower()
    assert not re.search(r"\bdoe\b|doe_", words)
    assert "lamella separate … --out … --seed …" in page
    assert "cd34cd34cd34" in page
    assert "ef56ef56ef56" in page


def test_the_run_is_described(layers: Layers, run: RunRecord) -> None:
    page = separation_page([case(layers, timings_ms={"separation": 63.4}, notes=("a note",))], run)
    for text in ("ab12ab12ab12", "0.1.0", "63 ms", "a note", "trained on phantoms", "1.50 s"):
        assert text in page
    assert "ab12" * 16 not in page


def test_truth_is_compared_in_the_overlap(layers: Layers, run: RunRecord) -> None:
    truth = {"upper": layers.bone_image("upper") - np.float32(0.01)}
    page = separation_page([case(layers, truth=truth)], run)
    assert "2.5 grey levels <small>(0.0100)</small>" in page
    assert "40.0 dB" in page
    assert "100.0\u202f% of the overlap" in page
    error = pixels(page)["maps"]["error-upper"]
    assert decoded(error["image"]).min() > 128


def test_every_synthetic_layer_carries_its_tag(layers: Layers, run: RunRecord) -> None:
    shown = pixels(separation_page([case(layers)], run))["layers"]
    tags = {layer["key"]: layer["tag"] for layer in shown}
    assert tags.pop("input") == ""
    assert set(tags.values()) == {"synthetic · research use only"}


@pytest.mark.slow
def test_a_large_image_is_reduced_and_says_so(
    make_layers: Callable[..., Layers], run: RunRecord
) -> None:
    page = separation_page([case(make_layers(side_px=900))], run)
    assert "reduced to 768 × 768 for this page" in page
    stored = pixels(page)
    assert stored["size"] == [768, 768]
    assert stored["source"] == [900, 900]
    assert decoded(stored["images"]["input"]).shape == (768, 768)


def test_a_joint_stays_small(make_layers: Callable[..., Layers], run: RunRecord) -> None:
    layers = make_layers(side_px=256)
    one = len(separation_page([case(layers)], run).encode())
    two = len(separation_page([case(layers), case(layers, "joint 2")], run).encode())
    assert two - one < LARGEST_CASE_BYTES


def test_no_joint_overlap_and_no_joint_at_all_are_said(layers: Layers, run: RunRecord) -> None:
    alone = replace(layers.masks, masks={"upper": layers.masks["upper"]})
    single = replace(
        layers,
        masks=alone,
        bone_absorbance={"upper": layers.bone_absorbance["upper"]},
        share_sd=np.zeros_like(layers.share_sd),
    )
    assert "do not overlap" in separation_page([case(single)], run)
    assert "holds no joints" in separation_page([], run)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.0, "0"), (0.000015199, "0.000016"), (1.31, "1.4"), (12.0, "12"), (97.5, "98")],
)
def test_bounds_are_rounded_up(number: float, text: str) -> None:
    assert wording.at_most(number) == text


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("lamella separate a.png", "lamella separate …"),
        ("/home/doe/bin/lamella separate a b --out=/x", "… separate …"),
        ("lamella separate 'unclosed doe", "lamella separate …"),
        ("lamella demo", "lamella demo"),
    ],
)
def test_commands_lose_their_values(line: str, shown: str) -> None:
    assert wording.command(line) == shown


def test_the_first_joints_of_a_page_are_live_and_the_others_say_where_they_can_be(
    layers: Layers, run: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(separation, "LIVE_JOINTS", 2)
    page = separation_page([case(layers, f"joint {k}") for k in range(3)], run)
    assert [f'id="live-{k}"' in page for k in range(3)] == [True, True, False]
    assert page.count(separation.BEYOND_LIVE) == 1
