"""The narrowing page in a real browser: wipe, flicker, frames, readings; nothing is fetched."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamella.records import RunRecord
from lamella.report.narrowing import Interval, joint_view, narrowing_page
from narrowings import compared

CODES = """(name) => {
  const canvas = document.querySelector(`[data-picture="${name}"]`);
  const copy = new OffscreenCanvas(256, 256);
  const context = copy.getContext('2d', { willReadFrequently: true });
  context.drawImage(canvas, 0, 0, 256, 256);
  const { data } = context.getImageData(0, 0, 256, 256);
  return Array.from({ length: 256 * 256 }, (_, place) => data[4 * place]);
}"""


@dataclass
class Page:
    """A page and what it complained about."""

    page: Any
    file: Path
    complaints: list[str] = field(default_factory=list)

    def codes(self, name: str) -> np.ndarray:
        """Grey levels of a picture, (row, col)."""
        return np.array(self.page.evaluate(CODES, name), float).reshape(256, 256)

    def wipe(self) -> str:
        """Where the line stands."""
        script = "getComputedStyle(document.querySelector('article')).getPropertyValue('--wipe')"
        return self.page.evaluate(script).strip()

    def load(self) -> None:
        """Open it, or open it again."""
        self.page.goto(self.file.as_uri())
        self.page.wait_for_selector("article[data-ready]")


def page_file(folder: Path) -> Path:
    refused = compared(refused="another joint")
    intervals = [
        Interval(visit=2, narrowing=refused, days=100),
        Interval(visit=3, narrowing=compared(), days=400),
    ]
    views = [
        joint_view("joint 1", intervals),
        joint_view('=2 "b"', [Interval(visit=2, narrowing=compared())], pictured=False),
        joint_view("joint 3", [Interval(visit=2, problem="cut file", failed=True)]),
    ]
    run = RunRecord(
        command="lamella narrowing",
        versions={},
        weights_sha256={},
        inputs_sha256={"joint 1, visit 1": "ab" * 32},
    )
    file = folder / "report.html"
    file.write_text(narrowing_page(views, run), encoding="utf-8")
    return file


def opened(browser: Any, folder: Path, **context: Any) -> Iterator[Page]:
    settings = {"viewport": {"width": 1280, "height": 900}, "accept_downloads": True} | context
    page = browser.new_page(**settings)
    seen = Page(page, page_file(folder))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.load()
    yield seen
    page.close()
    own = (seen.file.as_uri(), "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
    assert seen.complaints == []


@pytest.fixture
def calm(browser: Any, tmp_path: Path) -> Iterator[Page]:
    """A reader who asks for less motion."""
    yield from opened(browser, tmp_path, reduced_motion="reduce")


@pytest.fixture
def lively(browser: Any, tmp_path: Path) -> Iterator[Page]:
    """A reader who does not mind motion."""
    yield from opened(browser, tmp_path, reduced_motion="no-preference")


def test_the_followup_is_laid_on_the_bone_held_still(calm: Page) -> None:
    held = calm.codes("followup")
    calm.page.keyboard.press("u")
    assert calm.page.locator('[data-frame="upper"]').get_attribute("aria-pressed") == "true"
    lifted = calm.codes("followup")
    whole = round(compared().bones["upper"].motion.down_px)
    shifted = held[50 + whole : 150 + whole, 50:200]
    assert np.abs(lifted[50:150, 50:200] - shifted).mean() < 3
    assert np.abs(lifted[50:150, 50:200] - held[50:150, 50:200]).mean() > 3
    calm.page.click('[data-frame="taken"]')
    np.testing.assert_array_equal(calm.codes("followup"), held)


def test_wipe_by_key_slider_and_drag(calm: Page) -> None:
    assert calm.wipe() == "50.00%"
    calm.page.keyboard.press("ArrowRight")
    assert calm.wipe() == "52.00%"
    calm.page.keyboard.press("Shift+ArrowLeft")
    assert calm.wipe() == "42.00%"
    box = calm.page.locator(".hero").bounding_box()
    calm.page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 50)
    calm.page.mouse.down()
    calm.page.mouse.up()
    assert float(calm.wipe()[:-1]) == pytest.approx(80, abs=0.5)
    assert float(calm.page.locator("[data-wipe]").input_value()) == pytest.approx(80, abs=0.5)


def test_space_shows_one_visit_then_the_other(calm: Page) -> None:
    calm.page.keyboard.press(" ")
    assert calm.wipe() == "0.00%"
    calm.page.keyboard.press(" ")
    assert calm.wipe() == "100.00%"
    calm.page.keyboard.press("ArrowLeft")
    assert calm.wipe() == "48.00%"


def test_less_motion_means_one_change_a_press(calm: Page) -> None:
    calm.page.keyboard.press("f")
    assert calm.wipe() == "0.00%"
    calm.page.wait_for_timeout(1200)
    assert calm.wipe() == "0.00%"
    assert calm.page.locator("[data-flicker]").get_attribute("aria-pressed") == "false"


def test_flicker_runs_at_its_rate_and_stops(lively: Page) -> None:
    lively.page.locator("[data-rate]").evaluate(
        "e => { e.value = 5; e.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    assert lively.page.locator("[data-rate-words]").inner_text() == "5 / s"
    lively.page.click("[data-flicker]")
    seen = set()
    for _ in range(12):
        seen.add(lively.wipe())
        lively.page.wait_for_timeout(70)
    assert seen == {"0.00%", "100.00%"}
    lively.page.keyboard.press("f")
    assert lively.wipe() == "50.00%"
    lively.page.wait_for_timeout(400)
    assert lively.wipe() == "50.00%"


def test_a_refused_interval_shows_its_reason_and_no_length(calm: Page) -> None:
    assert calm.page.locator(".headline:visible").inner_text() == "0.50 mm narrower"
    assert calm.page.locator("[data-ruler]").is_visible()
    calm.page.click('[data-interval="0"]')
    assert calm.page.locator(".headline:visible").inner_text() == "No answer"
    assert calm.page.locator(".detail:visible").inner_text().lower() == "another joint"
    assert not calm.page.locator("[data-ruler]").is_visible()
    assert "what was tried" in calm.page.locator("[data-hero-words]").inner_text()
    assert calm.page.locator(".contours:visible").count() == 0


def test_a_reading_is_kept_and_exported(calm: Page) -> None:
    calm.page.keyboard.press("a")
    calm.page.keyboard.press("c")
    calm.page.keyboard.type('nx, "so"')
    assert calm.page.locator("h2").inner_text() == "joint 1"
    calm.page.locator("[data-comment]").evaluate("e => e.blur()")
    calm.page.keyboard.press("n")
    calm.page.keyboard.press("x")
    calm.load()
    assert calm.page.locator("[data-comment]").input_value() == 'nx, "so"'
    pressed = calm.page.locator('[data-verdict="accept"]').get_attribute("aria-pressed")
    assert pressed == "true"
    with calm.page.expect_download() as found:
        calm.page.click("[data-export]")
    assert found.value.suggested_filename == "narrowing_readings.csv"
    text = Path(found.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    assert rows[0] == ["joint", "reading", "comment", "answer"]
    assert rows[1][:3] == ["joint 1", "accept", 'nx, "so"']
    assert rows[1][3].startswith(
        "Visit 2, day 100: No answer, another joint; Visit 3, day 400: 0.50"
    )
    assert rows[2][:3] == ['\'=2 "b"', "reject", ""]
    assert len(rows) == 4


def test_what_a_browser_kept_wrongly_is_ignored(calm: Page) -> None:
    calm.page.keyboard.press("a")
    spoil = (
        "() => { for (const k of Object.keys(localStorage)) localStorage[k] = '{\"joint 1\": 3'; }"
    )
    calm.page.evaluate(spoil)
    calm.load()
    assert calm.page.locator('[data-verdict="accept"]').get_attribute("aria-pressed") == "false"
    calm.page.keyboard.press("x")
    assert calm.page.locator("[data-line]").first.get_attribute("data-given") == "reject"


def test_the_table_opens_a_joint(calm: Page) -> None:
    calm.page.click('[data-open="2"]')
    assert calm.page.locator("h2").inner_text() == "joint 3"
    assert calm.page.locator(".headline:visible").inner_text() == "No answer"


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("width", [375, 1280])
def test_it_fits_its_window_and_can_be_read(
    browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    size = {"width": width, "height": 800}
    for seen in opened(browser, tmp_path, viewport=size, color_scheme=scheme):
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        for selector in (".headline", ".detail", ".versus", ".fine", ".legend li", "td"):
            assert contrast(seen.page, selector) >= 4.5, selector


def contrast(page: Any, selector: str) -> float:
    """WCAG contrast of the first visible text against the nearest background."""
    script = """(selector) => {
      const found = [...document.querySelectorAll(selector)].find((e) => e.offsetParent);
      let ground = found;
      const behind = (element) => getComputedStyle(element).backgroundColor;
      while (behind(ground) === 'rgba(0, 0, 0, 0)') ground = ground.parentElement;
      return [getComputedStyle(found).color, behind(ground)];
    }"""
    light = []
    for text in page.evaluate(script, selector):
        part = np.array([float(p) for p in text[text.index("(") + 1 : -1].split(",")[:3]]) / 255
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)
