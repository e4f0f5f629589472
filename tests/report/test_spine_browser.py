"""The spine page in a real browser: slices, wipe, flicker, windows, keys; nothing is fetched."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assessed_spines import assessed
from lamella.records import RunRecord
from lamella.report import spine_pictures as pictures
from lamella.report.spine import spine_page
from lamella.report.spine_case import SpineCase, spine_case

SHARP = 8
WINDOWS = {"bone": (400, 1800), "soft": (50, 400)}
CODES = """([level, view, side, sharp]) => {
  const box = document.querySelector(`#vertebra-${level} [data-view=${view}]`);
  const canvas = box.querySelector(`canvas[data-side=${side}]`);
  const [cols, rows] = [canvas.width / sharp, canvas.height / sharp];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const at = (row, col) => data[4 * (row * canvas.width + col)];
  const grey = Array.from({ length: rows * cols }, (_, place) => {
    const [row, col] = [Math.floor(place / cols), place % cols].map((n) => n * sharp + sharp / 2);
    return (at(row, col) + at(row - 1, col) + at(row, col - 1) + at(row - 1, col - 1)) / 4;
  });
  return { rows, cols, grey };
}"""
RUN = RunRecord(
    command="lamella spine",
    versions={},
    weights_sha256={},
    inputs_sha256={"CT": "ab" * 32, "labels": "cd" * 32},
)


@dataclass
class Page:
    """A page, what it shows, and what it complained about."""

    page: Any
    case: SpineCase
    complaints: list[str] = field(default_factory=list)

    def greys(self, level: str, view: str, side: str) -> np.ndarray:
        """Grey levels at the centres of the voxels of a slice, (row, col)."""
        shown = self.page.evaluate(CODES, [level, view, side, SHARP])
        return np.array(shown["grey"], float).reshape(shown["rows"], shown["cols"])

    def wipe(self) -> float:
        """Where the line stands, per cent."""
        script = "document.querySelector('[data-spine]').style.getPropertyValue('--wipe')"
        return float(self.page.evaluate(script).strip("%"))

    def slice_of(self, level: str, view: str) -> int:
        """Number of the slice that is shown."""
        return int(self.slider(level, view).input_value())

    def slider(self, level: str, view: str) -> Any:
        """The slider of a picture."""
        return self.page.locator(f"#vertebra-{level} [data-view={view}] [data-slice]")

    def pane(self, level: str, view: str = "sagittal") -> Any:
        """A picture."""
        return self.page.locator(f"#vertebra-{level} [data-view={view}] .pane")

    def set_slice(self, level: str, view: str, number: int) -> None:
        """Move a slider as a user would."""
        script = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }"
        self.slider(level, view).evaluate(script, number)

    def plain(self) -> None:
        """No outlines over the pictures."""
        self.page.click('[data-show="outlines"]')


@dataclass(frozen=True, kw_only=True)
class Written:
    """A page as a file, and what it shows."""

    file: Path
    case: SpineCase


def opened(browser: Any, written: Written, **context: Any) -> Iterator[Page]:
    file = written.file
    settings = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"} | context
    page = browser.new_page(**settings)
    seen = Page(page, written.case)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("[data-spine][data-ready]")
    yield seen
    page.close()
    assert [url for url in asked if url != file.as_uri() and not url.startswith("data:")] == []
    assert [text for text in seen.complaints if "GL Driver Message" not in text] == []


def written(folder: Path, with_ct: bool) -> Written:
    case = spine_case(assessed(with_ct=with_ct))
    (folder / "report.html").write_text(spine_page(case, RUN), encoding="utf-8")
    return Written(file=folder / "report.html", case=case)


@pytest.fixture(scope="module")
def with_ct(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("ct"), with_ct=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return written(tmp_path_factory.mktemp("labels"), with_ct=False)


@pytest.fixture
def case(with_ct: Written) -> SpineCase:
    return with_ct.case


@pytest.fixture
def calm(browser: Any, with_ct: Written) -> Iterator[Page]:
    """A reader who asks for less motion."""
    yield from opened(browser, with_ct)


def expected(case: SpineCase, volume: np.ndarray, window: str, slice_of: Any) -> np.ndarray:
    """Grey levels of a slice as the window says, (row, col), rows as the page cuts them."""
    level, width = WINDOWS[window]
    codes = pictures.shades(volume).astype(float)[slice_of]
    hu = pictures.LOW_HU + pictures.STEP_HU * codes
    grey = np.clip(255 * ((hu - level) / width + 0.5), 0, 255)
    middle = case.pictures.to_straight(case.assessment["L1"].body.frame.centre_mm[None])[0, 1]
    reach = pictures.WINDOW_MM
    top = round(float(middle - case.pictures.corner_mm[1] - reach))
    rows = np.arange(top, top + 2 * int(reach) + 1)
    inside = (rows >= 0) & (rows < len(grey))
    return np.where(inside[:, None], grey[np.clip(rows, 0, len(grey) - 1)], 0.0)


@pytest.mark.parametrize("window", ["bone", "soft"])
def test_both_sides_show_the_slice_of_the_slider(calm, case, window):
    calm.plain()
    calm.page.keyboard.press(window[0])
    calm.set_slice("L1", "sagittal", 25)
    calm.set_slice("L1", "coronal", 40)
    volumes = {"before": case.pictures.hu, "after": case.pictures.hu_after}
    for side, volume in volumes.items():
        cut = np.moveaxis(volume, 1, 0)  # (down, left, back)
        for view, at in (("sagittal", np.s_[25]), ("coronal", np.s_[:, :, 40])):
            whole = volume[25] if view == "sagittal" else cut[at]
            shown = calm.greys("L1", view, side)
            want = expected(case, whole[None], window, 0)
            assert shown.shape == want.shape
            assert np.median(np.abs(shown - want)) < 2.0
            assert np.corrcoef(shown.ravel(), want.ravel())[0, 1] > 0.99


def test_fractures_are_open_and_others_draw_when_they_are_opened(calm):
    assert calm.page.locator("#vertebra-L1").get_attribute("open") is not None
    assert calm.page.locator("#vertebra-T12").get_attribute("open") is None
    calm.page.click("#vertebra-T12 summary")
    calm.page.wait_for_timeout(100)
    assert calm.greys("T12", "sagittal", "before").max() > 100


def test_the_wipe_is_one_for_all_pictures(calm):
    box = calm.pane("L1").bounding_box()
    calm.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 20)
    calm.page.mouse.down()
    calm.page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 20)
    calm.page.mouse.up()
    assert calm.wipe() == pytest.approx(25.0, abs=0.5)
    clip = "e => getComputedStyle(e).clipPath"
    panes = calm.page.locator("#vertebra-L1 .side-a")
    assert len({panes.nth(k).evaluate(clip) for k in range(2)}) == 1
    calm.page.keyboard.press("Shift+ArrowRight")
    assert calm.wipe() == pytest.approx(27.0, abs=0.5)


def test_flicker_shows_one_side_whole_and_the_strip_follows(calm):
    calm.page.keyboard.press("f")
    assert calm.wipe() == 0.0
    strip = "getComputedStyle(document.querySelector('.strip-after')).visibility"
    assert calm.page.evaluate(strip) == "visible"
    calm.page.keyboard.press(" ")
    assert calm.wipe() == 100.0
    assert calm.page.evaluate(strip) == "hidden"
    calm.page.click("[data-strip]")
    calm.page.evaluate("document.activeElement.blur()")
    box = calm.pane("L1").bounding_box()
    calm.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    assert calm.page.evaluate(strip) == "visible"


def test_arrows_and_the_wheel_move_the_chosen_picture(calm):
    first = calm.slice_of("L1", "sagittal")
    calm.page.keyboard.press("ArrowRight")
    assert calm.slice_of("L1", "sagittal") == first + 1
    coronal = calm.slice_of("L1", "coronal")
    box = calm.pane("L1", "coronal").bounding_box()
    calm.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    calm.page.mouse.wheel(0, 120)
    calm.page.wait_for_timeout(100)
    assert calm.slice_of("L1", "coronal") == coronal + 1
    calm.page.keyboard.press("ArrowUp")
    assert calm.slice_of("L1", "coronal") == coronal
    assert calm.slice_of("L1", "sagittal") == first + 1


def test_words_tell_where_a_slice_lies(calm, case):
    calm.set_slice("L1", "sagittal", 0)
    output = calm.page.locator("#vertebra-L1 [data-view=sagittal] output")
    words = output.inner_text()
    middle = case.pictures.to_straight(case.assessment["L1"].body.frame.centre_mm[None])[0, 0]
    assert words == f"R {round(middle - case.pictures.corner_mm[0])}\u00a0mm"


def test_the_other_picture_s_slice_is_marked(calm):
    mark = calm.page.locator("#vertebra-L1 [data-view=coronal] [data-lines=before] .twin")
    before = mark.get_attribute("d")
    calm.set_slice("L1", "sagittal", 10)
    after = mark.get_attribute("d")
    assert before != after
    assert after.startswith("M10.50 ")


def test_height_lines_are_drawn_and_can_be_hidden(calm, case):
    texts = calm.page.locator("#vertebra-L1 [data-view=sagittal] [data-lines=before] text")
    heights = case.assessment["L1"].heights_mm
    shown = [texts.nth(k).text_content() for k in range(texts.count())]
    assert shown == [f"{heights.of(zone):.1f}" for zone in ("anterior", "middle", "posterior")]
    calm.page.keyboard.press("h")
    assert texts.count() == 0


def test_the_next_vertebra_opens(calm):
    calm.page.keyboard.press("n")
    assert calm.page.locator("#vertebra-T12").get_attribute("open") is not None
    here = calm.page.locator(".strip .here").get_attribute("data-go")
    assert here == "T12"
    calm.page.keyboard.press("p")
    assert calm.page.locator(".strip .here").get_attribute("data-go") == "L1"


def test_a_name_in_the_strip_or_the_table_leads_to_its_vertebra(calm):
    calm.page.click('.strip [data-go="L2"] text >> nth=0')
    assert calm.page.locator("#vertebra-L2").get_attribute("open") is not None
    assert "No answer." in calm.page.locator("#vertebra-L2").inner_text()
    calm.page.click('table [data-go="T12"]')
    assert calm.page.locator("#vertebra-T12").get_attribute("open") is not None


def test_the_map_is_read_under_the_cursor(calm):
    drawing = calm.page.locator("#vertebra-L1 .loss svg image")
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    calm.page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.1)
    read = calm.page.locator("#vertebra-L1 [data-loss-read]")
    assert "% lost, " in read.inner_text()
    assert "in front" in read.inner_text()
    calm.page.mouse.move(box["x"] + 1, box["y"] + 1)
    assert read.inner_text().startswith("90 % of the columns")


@pytest.mark.parametrize("kind", ["with_ct", "alone"])
@pytest.mark.parametrize("width", [375, 900])
def test_a_narrow_window_has_no_sideways_scroll(browser, request, width, kind):
    viewport = {"width": width, "height": 800}
    pages = opened(browser, request.getfixturevalue(kind), viewport=viewport)
    page = next(pages)
    assert page.page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.pane("L1").bounding_box()["width"] <= width
    assert list(pages) == []


def test_labels_alone_draw_shapes(browser, alone):
    pages = opened(browser, alone)
    page = next(pages)
    page.plain()
    grey = page.greys("L1", "sagittal", "before")
    assert len(np.unique(np.rint(grey))) >= 3
    for key in "fsn":
        page.page.keyboard.press(key)
    assert list(pages) == []
