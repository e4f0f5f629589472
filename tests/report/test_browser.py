"""The page in a real browser: its controls work and nothing is fetched."""

from typing import Any

import numpy as np
import pytest

WATCH_WIPE = """
  window.watched = [0];
  (function look() {
    const slider = document.querySelector('[data-wipe]');
    if (slider) watched.push(Number(slider.value));
    requestAnimationFrame(look);
  })();
"""


def test_wipe_slider_moves_the_clip_and_the_picture(opened: Any) -> None:
    before, picture = (
        opened.style(".side-b", "clip-path"),
        opened.page.locator(".hero").screenshot(),
    )
    opened.set_slider("[data-wipe]", 20)
    assert opened.style(".side-b", "clip-path") == "inset(0px 0px 0px 20%)" != before
    assert opened.style(".side-a", "clip-path") == "inset(0px 80% 0px 0px)"
    assert opened.page.locator(".hero").screenshot() != picture


def test_keyboard_moves_the_wipe(opened: Any) -> None:
    slider = opened.page.locator("[data-wipe]")
    opened.page.keyboard.press("ArrowRight")
    assert slider.input_value() == "52"
    opened.page.keyboard.press("Shift+ArrowLeft")
    assert slider.input_value() == "42"
    opened.page.keyboard.press("f")
    assert slider.input_value() == "100"


def test_dragging_the_line_moves_the_wipe(opened: Any) -> None:
    x, y = opened.middle(".hero")
    opened.page.mouse.move(x, y)
    opened.page.mouse.down()
    opened.page.mouse.move(x + 60, y)
    opened.page.mouse.up()
    assert float(opened.page.locator("[data-wipe]").input_value()) > 55


def test_number_keys_choose_the_layer(opened: Any) -> None:
    label = opened.page.locator('[data-side="b"] [data-side-label]')
    assert label.inner_text() == "Upper bone"
    picture = opened.page.locator(".hero").screenshot()
    for key, name in {
        "3": "Lower bone",
        "4": "Soft tissue",
        "5": "Recomposed",
        "1": "Input",
    }.items():
        opened.page.keyboard.press(key)
        assert label.inner_text() == name
    opened.page.keyboard.press("3")
    assert opened.page.locator(".hero").screenshot() != picture
    assert opened.page.locator('[data-choose="b"]').input_value() == "bone-lower"


def test_choosers_and_swap_set_both_sides(opened: Any) -> None:
    opened.page.select_option('[data-choose="a"]', "true-upper")
    opened.page.click('[data-do="swap"]')
    assert (
        opened.page.locator('[data-side="b"] [data-side-label]').inner_text() == "True upper bone"
    )
    assert opened.page.locator('[data-side="a"] [data-side-label]').inner_text() == "Upper bone"


def test_zoom_and_pan_link_every_panel(opened: Any) -> None:
    x, y = opened.middle('[data-panel="bone-lower"] .viewport')
    opened.page.mouse.move(x, y)
    opened.wheel(-600)
    panels = opened.matrices(".panels .stage")
    assert len(panels) == 5
    assert np.ptp(panels, axis=0).max() < 0.1
    scales = opened.matrices(".stage")[:, 0]
    assert np.ptp(scales) == 0
    assert scales[0] > 2
    opened.page.mouse.down()
    opened.page.mouse.move(x + 40, y + 25)
    opened.page.mouse.up()
    panned = opened.matrices(".panels .stage")
    np.testing.assert_allclose(panned[:, 4:] - panels[:, 4:], [[40, 25]] * 5, atol=1)
    opened.page.mouse.dblclick(x, y)
    assert set(opened.styles(".stage", "transform")) == {"matrix(1, 0, 0, 1, 0, 0)"}


def test_zoom_keeps_the_point_under_the_cursor(opened: Any) -> None:
    edge = opened.page.locator('[data-panel="input"] .viewport').bounding_box()
    assert edge
    opened.page.mouse.move(edge["x"] + edge["width"] * 0.256, edge["y"] + edge["height"] * 0.6)
    where = opened.page.locator("[data-where]")
    before = where.inner_text()
    opened.wheel(-700)
    opened.page.mouse.move(
        edge["x"] + edge["width"] * 0.256 + 0.4, edge["y"] + edge["height"] * 0.6
    )
    assert where.inner_text() == before


@pytest.mark.parametrize(("key", "name"), [("o", "hatch"), ("c", "contours"), ("u", "uncertainty")])
def test_toggles_change_the_pixels(opened: Any, key: str, name: str) -> None:
    panel = opened.page.locator('[data-panel="input"] .viewport')
    button = opened.page.locator(f'[data-toggle="{name}"]')
    before, pressed = panel.screenshot(), button.get_attribute("aria-pressed")
    opened.page.keyboard.press(key)
    assert panel.screenshot() != before
    assert button.get_attribute("aria-pressed") != pressed
    button.click()
    opened.page.mouse.move(5, 5)
    assert button.get_attribute("aria-pressed") == pressed


def test_overlap_is_hatched_on_the_input_from_the_start(opened: Any) -> None:
    hatch = '[data-panel="input"] .hatch'
    assert opened.style(hatch, "display") == "inline"
    assert len(opened.page.locator(hatch).get_attribute("d") or "") > 50


def test_window_sliders_change_every_radiograph(opened: Any) -> None:
    opened.page.keyboard.press("r")
    assert set(opened.styles(".xray", "filter")) == {"brightness(1) contrast(1)"}
    before = opened.page.locator(".hero").screenshot()
    opened.set_slider('[data-window="brightness"]', 150)
    opened.set_slider('[data-window="contrast"]', 200)
    assert set(opened.styles(".xray", "filter")) == {"brightness(1.5) contrast(2)"}
    assert set(opened.styles(".map", "filter")) == {"none"}
    assert opened.page.locator(".hero").screenshot() != before
    opened.page.keyboard.press("r")
    assert set(opened.styles(".xray", "filter")) == {"brightness(1) contrast(1)"}


def test_reset_restores_view_and_wipe(opened: Any) -> None:
    x, y = opened.middle(".hero")
    opened.page.mouse.move(x, y)
    opened.wheel(-500)
    opened.set_slider("[data-wipe]", 10)
    opened.page.click('[data-do="reset"]')
    assert set(opened.styles(".stage", "transform")) == {"matrix(1, 0, 0, 1, 0, 0)"}
    assert opened.page.locator("[data-wipe]").input_value() == "50"


def test_readout_shows_the_values_under_the_cursor(opened: Any) -> None:
    edge = opened.page.locator('[data-panel="soft"] .viewport').bounding_box()
    assert edge
    rows, cols = opened.layers.radiograph.shape
    row, col = 50, 44
    opened.page.mouse.move(
        edge["x"] + edge["width"] * (col + 0.5) / cols,
        edge["y"] + edge["height"] * (row + 0.5) / rows,
    )
    assert opened.page.locator("[data-where]").inner_text() == f"row {row}, column {col}"

    def cell(key: str, name: str) -> str:
        return opened.page.locator(f'[data-row="{key}"] [data-cell="{name}"]').inner_text()

    layers = opened.layers
    for key, image in {
        "input": layers.radiograph.pixels,
        "bone-upper": layers.bone_image("upper"),
        "bone-lower": layers.bone_image("lower"),
        "soft": layers.soft_image(),
        "recomposed": layers.recompose(),
    }.items():
        assert float(cell(key, "intensity")) == pytest.approx(image[row, col], abs=1 / 255)
    upper, lower = (layers.bone_absorbance[name][row, col] for name in ("upper", "lower"))
    share, spread = cell("bone-upper", "share").replace("\u202f%", "").split(" ± ")
    assert float(share) == pytest.approx(100 * upper / (upper + lower), abs=1)
    assert float(spread) == pytest.approx(100 * 1.645 * layers.share_sd[row, col], abs=1)
    width = float(cell("bone-upper", "width").removeprefix("± "))
    expected = 1.645 * layers.share_sd_in_intensity("upper")[row, col] * 255
    assert width == pytest.approx(expected, rel=0.1)


def test_scale_bar_follows_the_zoom(opened: Any) -> None:
    length = opened.page.locator("[data-ruler] .length")

    def px_per_mm() -> float:
        wide = opened.page.locator("[data-ruler] .bar").bounding_box()
        assert wide
        return wide["width"] / float(length.inner_text().split("\u00a0")[0])

    hero = opened.page.locator(".hero").bounding_box()
    assert hero
    assert length.inner_text().endswith("mm")
    assert px_per_mm() == pytest.approx(hero["width"] / 9.6, rel=0.02)
    opened.page.mouse.move(*opened.middle(".hero"))
    opened.wheel(-600)
    zoom = float(opened.style("article", "--zoom"))
    assert px_per_mm() == pytest.approx(zoom * hero["width"] / 9.6, rel=0.02)


def test_next_and_previous_joint(opened: Any) -> None:
    heading = opened.page.locator("article h2")
    opened.page.keyboard.press("n")
    opened.page.wait_for_selector("article[data-ready]")
    assert heading.inner_text() == "joint 2"
    assert opened.page.locator("article").count() == 1
    assert opened.page.locator("[data-ruler] .length").inner_text().endswith("px")
    assert " mm" not in opened.page.locator("article").inner_text().replace("\u00a0", " ")
    opened.page.click('[data-do="next"]')
    assert opened.page.locator(".why").text_content() == "only one bone was found"
    opened.page.keyboard.press("c")
    opened.page.keyboard.press("p")
    opened.page.keyboard.press("p")
    opened.page.wait_for_selector("article[data-ready]")
    assert heading.inner_text() == "joint 1"


def test_filter_by_status(opened: Any) -> None:
    opened.page.click('[data-filter="failed"]')
    assert opened.page.locator(".joints li:visible").count() == 1
    assert opened.page.locator(".why").text_content() == "cannot be read"


def test_settings_stay_from_joint_to_joint(opened: Any) -> None:
    opened.set_slider("[data-wipe]", 30)
    opened.page.keyboard.press("c")
    opened.page.keyboard.press("n")
    opened.page.wait_for_selector("article[data-ready]")
    assert opened.page.locator("[data-wipe]").input_value() == "30"
    assert opened.page.locator('[data-toggle="contours"]').get_attribute("aria-pressed") == "false"


def test_notice_stays_in_sight(opened: Any) -> None:
    opened.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    edge = opened.page.locator(".notice").bounding_box()
    assert edge
    assert 0 <= edge["y"] < 60
    assert "research use only" in opened.page.locator(".notice").inner_text()


def test_every_control_and_picture_has_a_name(opened: Any) -> None:
    unnamed = opened.page.evaluate(
        """() => [...document.querySelectorAll('input, select, button, canvas[role=img]')]
        .filter(e => !(e.getAttribute('aria-label') || e.textContent.trim())).length"""
    )
    assert unnamed == 0


def test_canvas_of_the_residual_is_neutral_when_exact(opened: Any) -> None:
    colours = opened.page.evaluate(
        """() => { const c = document.querySelector('[data-map=residual]');
        return [...c.getContext('2d').getImageData(0, 0, c.width, 1).data.slice(0, 3)]; }"""
    )
    assert np.ptp(colours) <= 2
    assert max(colours) < 80


def test_the_policy_blocks_a_fetch(opened: Any) -> None:
    refused = opened.page.evaluate("fetch('https://example.invalid/').then(() => 0, () => 1)")
    assert refused == 1
    assert any("Content Security Policy" in text for text in opened.complaints)
    opened.complaints.clear()
    opened.requests[:] = [url for url in opened.requests if "example.invalid" not in url]


@pytest.mark.parametrize("width", [1280, 1920])
def test_nothing_overflows_sideways(opened: Any, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 1000})
    beyond = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.page.evaluate(beyond) <= 0


def test_the_opening_sweep_ends_in_the_middle(opened: Any) -> None:
    opened.page.add_init_script(WATCH_WIPE)
    opened.page.emulate_media(reduced_motion="no-preference")
    opened.page.reload()
    opened.page.wait_for_selector("article[data-ready]")
    slider = opened.page.locator("[data-wipe]")
    opened.wait_until(
        lambda: slider.input_value() == "50" and max(opened.page.evaluate("watched")) > 50
    )
    assert opened.page.evaluate("watched")[-1] == 50
