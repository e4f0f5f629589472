"""The live joint in a real browser: its pixels, its numbers, its files, its controls."""

import io
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as PillowImage

from joints import phantom, radiograph_of
from lamella.records import LamellaError, RunRecord, SyntheticJoint
from lamella.report import SynthesisCase, images, synthesis_page
from lamella.tasks.synthesis import AdjustableJoint
from lamella.zoo.verbs import adjustable, separate, synthesize

WAYS = ("canvas", "webgl2")
POSES = [(None, 0.0, 0.0), (0.3, 0.0, 0.0), (2.6, 0.5, 3.0), (-0.8, -0.7, -5.0), (1.1, 0.6, 8.0)]
DRIVER_NOTE = "GL Driver Message"
SWEEP = """async (frames) => {
  const slider = document.querySelector('[data-live-set=jsw]');
  const began = await new Promise(requestAnimationFrame);
  let now = began;
  for (let k = 0; k < frames; k += 1) {
    slider.value = 0.2 + (2 * k) / frames;
    slider.dispatchEvent(new Event('input', {bubbles: true}));
    now = await new Promise(requestAnimationFrame);
  }
  return (1000 * frames) / (now - began);
}"""


@dataclass
class Live:
    """A page with one live joint, and the joint it was made from."""

    page: Any
    joint: AdjustableJoint

    def ask(self, what: str) -> Any:
        """Something of the section's handle."""
        return self.page.evaluate(f"document.querySelector('[data-live]').lamella.{what}")

    def pose(self, jsw_mm: float | None, shift_mm: float, rotation_deg: float) -> SyntheticJoint:
        """Set the page, and synthesise the same."""
        self.page.click('[data-live-do="reset"]')
        for name, value in (("shift", shift_mm), ("rotation", rotation_deg), ("jsw", jsw_mm)):
            if value is not None:
                self.ask(f"set('{name}', {value})")
        self.neutral_window()
        return synthesize(self.joint, jsw_mm=jsw_mm, shift_mm=shift_mm, rotation_deg=rotation_deg)

    def neutral_window(self) -> None:
        """From black at 0 to white at 1."""
        self.ask("set('level', 50)")
        self.ask("set('width', 100)")

    def codes(self) -> np.ndarray:
        """Grey levels on the page's canvas, (row, col)."""
        rows, cols = images.page_size(self.joint.layers.radiograph.shape)
        return np.array(self.ask("codes()"), float).reshape(rows, cols)

    def frame(self) -> None:
        """Wait until what was asked for is on the screen."""
        self.page.evaluate(
            "() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )

    def figure(self, name: str) -> tuple[float, float, str]:
        """Value, standard deviation and unit of a figure as printed."""
        cell = self.page.locator(f'[data-live-figure="{name}"]')
        spread, unit = cell.locator("[data-sd]").inner_text().removeprefix("± ").split("\u00a0")
        return number(cell.locator("b").inner_text()), float(spread), unit


def number(text: str) -> float:
    return float(text.replace("\u2212", "-"))


def made_joint(**spec: Any) -> AdjustableJoint:
    made = phantom(jsw_mm=0.8, air=True, **spec)
    return adjustable(separate(radiograph_of(made), made.masks))


def opened_joint(
    browser: Any, joint: AdjustableJoint, file: Path, run: RunRecord, **context: Any
) -> Iterator[Live]:
    """One page; no request but for the file, and no complaint, is allowed."""
    case = SynthesisCase(name="Joint 1 (R)", joint=joint, side="R")
    file.write_text(synthesis_page([case, replace(case, name="second")], run), encoding="utf-8")
    size = {"width": 1200, "height": 900}
    page = browser.new_page(**({"viewport": size, "reduced_motion": "reduce"} | context))
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("[data-live][data-timed]")
    yield Live(page, joint)
    page.close()
    assert [
        url for url in asked if url != file.as_uri() and url[:5] not in ("data:", "blob:")
    ] == []
    assert [text for text in complaints if DRIVER_NOTE not in text] == []


@pytest.fixture(scope="module")
def joint() -> AdjustableJoint:
    """256 x 256 pixels, a finger with air beside it."""
    return made_joint()


@pytest.fixture(scope="module")
def record() -> RunRecord:
    """The record of a run."""
    return RunRecord(command="lamella synthesize", versions={}, weights_sha256={}, inputs_sha256={})


@pytest.fixture(scope="module")
def live(
    browser: Any, joint: AdjustableJoint, record: RunRecord, tmp_path_factory: Any
) -> Iterator[Live]:
    """The page all tests of this module share; each begins by setting what it needs."""
    file = tmp_path_factory.mktemp("live") / "page.html"
    yield from opened_joint(browser, joint, file, record)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("way", WAYS)
def test_pixels_are_those_of_synthesize(live: Live, way: str, pose: tuple) -> None:
    if way not in live.ask("ways"):
        pytest.skip("this browser has no WebGL2")
    live.ask(f"use('{way}')")
    expected = live.pose(*pose)
    assert live.page.locator("[data-live-message]").inner_text() == ""
    assert live.ask("way()") == way
    assert np.abs(live.codes() - np.rint(255 * expected.image)).max() <= 1


@pytest.mark.parametrize("way", WAYS)
def test_what_is_on_the_screen_is_what_was_drawn(live: Live, way: str) -> None:
    if way not in live.ask("ways"):
        pytest.skip("this browser has no WebGL2")
    live.ask(f"use('{way}')")
    expected = live.pose(1.4, 0.3, 2.0)
    live.page.evaluate(
        """() => { const view = document.querySelector('[data-live-view]');
        view.style.cssText = 'position:fixed;left:0;top:0;width:256px;height:256px;z-index:99;'
          + 'border-radius:0'; }"""
    )
    live.page.add_style_tag(
        content="[data-live-view] svg, [data-live-view] span, [data-live-ruler] { opacity: 0 }"
    )
    live.frame()
    shot = live.page.screenshot(clip={"x": 0, "y": 0, "width": 256, "height": 256})
    seen = np.asarray(PillowImage.open(io.BytesIO(shot)).convert("L"), float)
    live.page.evaluate("() => document.querySelector('[data-live-view]').removeAttribute('style')")
    live.page.evaluate("() => document.querySelector('style:last-of-type').remove()")
    assert np.abs(seen - np.rint(255 * expected.image)).max() <= 1


@pytest.mark.parametrize("pose", POSES)
def test_the_readout_is_the_joint_space(live: Live, pose: tuple) -> None:
    space = live.pose(*pose).joint_space
    live.frame()
    for name in ("jsw", "minimum", "contact", "area"):
        unit = "mm2" if name == "area" else "mm"
        value, spread, said = live.figure(name)
        assert value == pytest.approx(getattr(space, f"{name}_{unit}"), abs=0.0051)
        assert spread == pytest.approx(getattr(space, f"{name}_sd_{unit}"), abs=0.0051)
        assert said == unit.replace("2", "²")
    profile = live.ask("space()")
    np.testing.assert_allclose(profile["width"], space.width_px, atol=0.02)
    if pose[0] is not None:
        assert profile["jsw_px"] * 0.082 == pytest.approx(pose[0], abs=1e-4)


def test_a_hidden_bone_leaves_soft_tissue_with_its_grain(live: Live) -> None:
    live.pose(None, 0.0, 0.0)
    live.ask("set('upper', 0)")
    made, inner = live.joint, slice(live.joint.margin_px, -live.joint.margin_px)
    soft = np.maximum(made.soft + made.grain * (made.matte - made.mattes[1][inner, inner]), 0)
    lower = made.at(made.posed()).bone_absorbance["lower"]
    expected = -np.expm1(-np.maximum(soft + lower, 0))
    assert np.abs(live.codes() - 255 * expected).max() <= 1
    live.ask("set('upper', 100)")


def test_level_and_window_map_grey_levels(live: Live) -> None:
    expected = live.pose(0.5, 0.0, 0.0).image
    live.ask("set('level', 40)")
    live.ask("set('width', 60)")
    shown = 255 * np.clip((expected - 0.1) / 0.6, 0, 1)
    assert np.abs(live.codes() - shown).max() <= 1.5


@pytest.mark.parametrize(("name", "wanted"), [("shift", 3.0), ("rotation", -15.0), ("jsw", 9.0)])
def test_what_synthesize_makes_the_page_reaches(live: Live, name: str, wanted: float) -> None:
    pose = {"jsw": 0.8, "shift": 0.0, "rotation": 0.0, name: wanted}
    made = live.pose(pose["jsw"], pose["shift"], pose["rotation"])
    assert live.page.locator("[data-live-message]").inner_text() == ""
    told = live.ask("truth()")["pose"]
    for key in ("along_px", "across_px", "rotation_deg"):
        assert told[key] == pytest.approx(getattr(made.pose, key), abs=1e-3)


def test_a_width_out_of_reach_stops_where_synthesize_stops(live: Live) -> None:
    live.pose(0.8, 0.0, 0.0)
    live.ask("set('jsw', 14)")
    words = live.page.locator("[data-live-message]").inner_text()
    assert words == "Limit: a bone would move farther than the image can show."
    reached_mm = float(live.ask("truth()")["joint_space"]["jsw"])
    synthesize(live.joint, jsw_mm=reached_mm)
    with pytest.raises(LamellaError, match="move by at most"):
        synthesize(live.joint, jsw_mm=reached_mm + 0.02)


def test_a_bone_stops_before_the_air(
    browser: Any, joint: AdjustableJoint, record: RunRecord, tmp_path: Path
) -> None:
    inside = joint.silhouettes[0] >= 0.5
    inner = slice(joint.margin_px, -joint.margin_px)
    beside = np.flatnonzero(inside[inner, inner].any(axis=0))[-1] + 5
    air = np.tile(np.arange(joint.air.shape[1]) >= beside, (joint.air.shape[0], 1))
    tight = replace(joint, air=joint.air | air)
    pages = opened_joint(browser, tight, tmp_path / "p.html", record)
    live = next(pages)
    live.ask("set('jsw', 0.8)")
    live.ask("set('shift', 3)")
    words = live.page.locator("[data-live-message]").inner_text()
    assert words == "Limit: the upper bone would lie over air."
    shift_mm = float(live.ask("truth()")["pose"]["across_px"]) * 0.082
    assert 0 < shift_mm < 3
    assert number(live.page.locator('[data-live-set="shift"]').input_value()) < 3
    tight.at(tight.posed(0.8, shift_mm))
    with pytest.raises(LamellaError, match="over air"):
        tight.at(tight.posed(0.8, shift_mm + 0.02))
    next(pages, None)


def test_overlays_follow_the_bones(live: Live) -> None:
    made = live.pose(1.9, -0.6, 4.0)
    live.frame()
    for place, name in enumerate(("upper", "lower")):
        x, y = live.page.evaluate(
            """k => { const path = document.querySelector(`[data-live-contour="${k}"]`);
            const at = path.getPointAtLength(0); const group = path.parentElement;
            const matrix = group.transform.baseVal.consolidate().matrix;
            const there = at.matrixTransform(matrix); return [there.x, there.y]; }""",
            place,
        )
        row, col = made.joint_space.ends[name].arc_px[0]
        assert (x, y) == pytest.approx((col + 0.5, row + 0.5), abs=0.02)
    label = live.page.locator("[data-live-label]").inner_text()
    assert number(label.split("\u00a0")[0]) == 1.9


@pytest.mark.parametrize("name", ["contours", "width", "masks", "close"])
def test_toggles_change_the_picture(live: Live, name: str) -> None:
    view = live.page.locator("[data-live-view]")
    button = live.page.locator(f'[data-live-toggle="{name}"]')
    live.frame()
    before, pressed = view.screenshot(), button.get_attribute("aria-pressed")
    button.click()
    assert button.get_attribute("aria-pressed") != pressed
    assert view.screenshot() != before
    button.click()


def test_arrow_keys_move_the_bones(live: Live) -> None:
    live.pose(1.0, 0.0, 0.0)
    slider = live.page.locator('[data-live-set="jsw"]')
    slider.focus()
    for _ in range(3):
        live.page.keyboard.press("ArrowRight")
    live.frame()
    assert number(slider.input_value()) == pytest.approx(1.03)
    assert live.figure("jsw")[0] == pytest.approx(1.03)
    live.page.keyboard.press("Tab")
    focused = "document.activeElement.dataset.liveSet"
    assert live.page.evaluate(focused) == "shift"
    ring = live.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    live.page.keyboard.press("PageUp")
    assert number(live.page.locator('[data-live-set="shift"]').input_value()) > 0


def test_the_width_is_spoken_once_it_rests(live: Live) -> None:
    live.pose(0.7, 0.0, 0.0)
    spoken = live.page.locator("[data-live-spoken]")
    for _ in range(40):
        if "0.70 ±" in (spoken.text_content() or ""):
            break
        live.page.wait_for_timeout(100)
    assert "Joint space width 0.70 ± 0.08 mm" in (spoken.text_content() or "")
    assert spoken.get_attribute("aria-live") == "polite"


def test_reset_restores_the_radiograph(live: Live) -> None:
    live.pose(2.0, 0.4, 3.0)
    live.ask("set('lower', 30)")
    live.page.click('[data-live-do="reset"]')
    live.neutral_window()
    assert np.abs(live.codes() - 255 * live.joint.layers.radiograph.pixels).max() <= 1.1


def test_the_image_is_saved_as_16_bit_and_says_what_it_is(live: Live) -> None:
    expected = live.pose(0.4, 0.2, 1.0)
    with live.page.expect_download() as waiting:
        live.page.click('[data-live-do="image"]')
    saved = waiting.value
    assert saved.suggested_filename == "joint-1-r_synthetic_research-use-only_jsw0.40mm.png"
    with PillowImage.open(saved.path()) as picture:
        pixels = np.asarray(picture, float) / 65535
        assert "research use only" in picture.info["Comment"]
        assert picture.mode.startswith("I")
    assert np.abs(pixels - expected.image).max() < 0.5 / 255


def test_the_truth_is_saved_with_it(live: Live) -> None:
    expected = live.pose(-0.5, 0.6, -3.0)
    with live.page.expect_download() as waiting:
        live.page.click('[data-live-do="truth"]')
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert archive.testzip() is None
        files = {Path(name).name: archive.read(name) for name in archive.namelist()}
    assert sorted(files) == ["image.png", "mask_lower.png", "mask_upper.png", "truth.json"]
    told = json.loads(files["truth.json"])
    assert "research use only" in told["notice"]
    assert told["joint_space"]["jsw"] == pytest.approx(-0.5, abs=1e-4)
    assert told["joint_space"]["minimum"] == pytest.approx(
        expected.joint_space.minimum_mm, abs=1e-3
    )
    for name, motion in expected.motions.items():
        said = told["motions"][name]
        assert (said["down_px"], said["right_px"]) == pytest.approx(
            (motion.down_px, motion.right_px), abs=2e-3
        )
        assert said["rotation_deg"] == motion.rotation_deg
        arc = expected.joint_space.ends[name].arc_px
        np.testing.assert_allclose(told["contours_px"][name], arc, atol=2e-3)
        mask = np.asarray(PillowImage.open(io.BytesIO(files[f"mask_{name}.png"]))) > 0
        assert (mask != expected.masks[name]).sum() <= 2
    for name, place in expected.landmarks.items():
        if name != "origin":
            np.testing.assert_allclose(told["landmarks_px"][name], place, atol=2e-3)


def test_side_scale_and_notice_are_on_the_picture(live: Live) -> None:
    assert live.page.locator(".live-side").inner_text() == "R"
    assert "research use only" in live.page.locator("[data-live-view] .burnt").inner_text()
    bar = live.page.locator("[data-live-ruler] .bar").bounding_box()
    view = live.page.locator("[data-live-view]").bounding_box()
    assert bar
    assert view
    length = live.page.locator("[data-live-ruler] .length").inner_text().split("\u00a0")
    assert length[1] == "mm"
    assert bar["width"] / float(length[0]) == pytest.approx(view["width"] / (256 * 0.082), rel=0.02)


def test_every_control_has_a_name(live: Live) -> None:
    unnamed = live.page.evaluate(
        """() => [...document.querySelectorAll('[data-live] :is(input, button, canvas, svg[role])')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"""
    )
    assert unnamed == 0


def test_the_next_joint_is_live_too(live: Live) -> None:
    live.page.keyboard.press("n")
    live.page.wait_for_selector("[data-live][data-timed]")
    assert live.page.locator("article h2").inner_text() == "second"
    assert live.page.locator("[data-live]").count() == 1
    live.page.keyboard.press("p")
    live.page.wait_for_selector("[data-live][data-timed]")
    assert live.page.locator("article h2").inner_text() == "Joint 1 (R)"


def test_a_telephone_shows_all_of_it(
    browser: Any, joint: AdjustableJoint, record: RunRecord, tmp_path: Path
) -> None:
    pages = opened_joint(
        browser, joint, tmp_path / "p.html", record, viewport={"width": 375, "height": 812}
    )
    live = next(pages)
    beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert live.page.evaluate(beyond) <= 0
    slider = live.page.locator('[data-live-set="jsw"]')
    slider.scroll_into_view_if_needed()
    edge = slider.bounding_box()
    assert edge
    assert edge["width"] > 280
    assert edge["height"] >= 28
    next(pages, None)


def test_without_spacing_widths_are_in_pixels(
    browser: Any, joint: AdjustableJoint, record: RunRecord, tmp_path: Path
) -> None:
    radiograph = replace(joint.layers.radiograph, pixel_spacing_mm=None, spacing_source=None)
    bare = adjustable(replace(joint.layers, radiograph=radiograph))
    pages = opened_joint(browser, bare, tmp_path / "p.html", record)
    live = next(pages)
    live.ask("set('jsw', 20)")
    live.frame()
    value, _, unit = live.figure("jsw")
    assert (value, unit) == (20.0, "px")
    assert live.figure("area")[2] == "px²"
    assert " mm" not in live.page.locator("article").inner_text().replace("\u00a0", " ")
    next(pages, None)


def test_a_reduced_image_moves_as_the_full_one(
    browser: Any,
    joint: AdjustableJoint,
    record: RunRecord,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(images, "LONGEST_SIDE_PX", 128)
    pages = opened_joint(browser, joint, tmp_path / "p.html", record)
    live = next(pages)
    expected = live.pose(2.0, 0.5, 3.0)
    live.frame()
    assert live.figure("jsw")[0] == pytest.approx(2.0)
    error = live.codes() - 255 * images.reduced(expected.image)
    assert np.abs(error).mean() < 0.6
    assert np.abs(error).max() < 12
    next(pages, None)


@pytest.mark.slow
def test_512_pixels_move_at_30_frames_a_second(
    browser: Any, record: RunRecord, tmp_path: Path
) -> None:
    joint = made_joint(rows=512, cols=512, pixel_spacing_mm=0.041)
    pages = opened_joint(browser, joint, tmp_path / "p.html", record)
    live = next(pages)
    rates = [live.page.evaluate(SWEEP, 45) for _ in range(6)]
    next(pages, None)
    if max(rates) < 30 and os.getloadavg()[0] > (os.cpu_count() or 1):
        pytest.skip(f"the machine is busy: {max(rates):.0f} frames/s under load")
    assert max(rates) >= 30
