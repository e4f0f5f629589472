"""Hand-made joints for the report's tests, and a browser to look at them."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lamella.records import BoneMasks, Layers, Radiograph, RunRecord
from lamella.report import SeparationCase, separation_page

SIDE_PX = 96
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = {"width": 1440, "height": 1000}
DRIVER_NOTE = "GL Driver Message"


def made_layers(
    *, side_px: int = SIDE_PX, spacing_mm: float | None = 0.1, flags: tuple[str, ...] = ()
) -> Layers:
    """Two overlapping discs on soft tissue, their absorbance divided 60 to 40."""
    row, col = np.mgrid[:side_px, :side_px] / side_px
    masks = {
        "upper": (row - 0.36) ** 2 + (col - 0.5) ** 2 < 0.26**2,
        "lower": (row - 0.68) ** 2 + (col - 0.5) ** 2 < 0.24**2,
    }
    texture = 0.12 * np.random.default_rng(5).standard_normal((2, side_px, side_px))
    bones = {
        name: np.where(mask, weight + 0.25 * np.clip(grain, -1, 1), 0.0).astype(np.float32)
        for (name, mask), weight, grain in zip(masks.items(), (0.6, 0.4), texture, strict=True)
    }
    soft = (0.2 + 0.15 * row).astype(np.float32)
    pixels = -np.expm1(-(soft + bones["upper"] + bones["lower"]))
    overlap = masks["upper"] & masks["lower"]
    return Layers(
        soft_absorbance=soft,
        bone_absorbance=bones,
        masks=BoneMasks(masks=masks, confidence=0.93, flags=flags, origin="disc maker"),
        radiograph=Radiograph(pixels=pixels, pixel_spacing_mm=spacing_mm, grey_level=1 / 255),
        share_sd=np.where(overlap, 0.08, 0.0).astype(np.float32),
        method="hand-made",
    )


@pytest.fixture
def layers() -> Layers:
    """One joint with a known spacing."""
    return made_layers()


@pytest.fixture
def make_layers() -> Callable[..., Layers]:
    """The maker itself, for other sizes, spacings and flags."""
    return made_layers


def made_run() -> RunRecord:
    """The record of a run whose command names a folder that must not be shown."""
    return RunRecord(
        command="lamella separate /scans/doe_jane/visit.dcm --out /scans/doe_jane --seed 3",
        versions={"lamella": "0.1.0"},
        weights_sha256={"shares": "ab12" * 16},
        inputs_sha256={"joint 1": "cd34" * 16, "doe_jane.dcm": "ef56" * 16},
        seed=3,
        timings_s={"whole run": 1.5},
        warnings=("weights were trained on phantoms",),
    )


@pytest.fixture
def run() -> RunRecord:
    """The record itself."""
    return made_run()


@dataclass
class Opened:
    """A page in the browser, with everything it asked for and complained about."""

    page: Any
    layers: Layers
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        """Keep a complaint; that a software compositor reads WebGL back is none."""
        if DRIVER_NOTE not in text:
            self.complaints.append(text)

    def style(self, selector: str, name: str) -> str:
        """Computed style of the first element that matches."""
        script = "([s, n]) => getComputedStyle(document.querySelector(s)).getPropertyValue(n)"
        return self.page.evaluate(script, [selector, name])

    def styles(self, selector: str, name: str) -> list[str]:
        """Computed style of every element that matches."""
        script = "([s, n]) => [...document.querySelectorAll(s)].map(e => getComputedStyle(e)[n])"
        return self.page.evaluate(script, [selector, name])

    def set_slider(self, selector: str, value: float) -> None:
        """Move a range input as a user would, with its event."""
        self.page.locator(selector).evaluate(
            "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )

    def matrices(self, selector: str) -> np.ndarray:
        """Transform of every element that matches, one row of six numbers each."""
        texts = self.styles(selector, "transform")
        return np.array([[float(part) for part in text[7:-1].split(",")] for text in texts])

    def wheel(self, down: float) -> None:
        """Turn the wheel and wait until the page has zoomed."""
        before = self.style("article", "--zoom")
        self.page.mouse.wheel(0, down)
        self.wait_until(lambda: self.style("article", "--zoom") != before)

    def wait_until(self, true: Callable[[], bool]) -> None:
        """Poll from outside, for the page's policy forbids evaluating strings inside it."""
        for _ in range(100):
            if true():
                return
            self.page.wait_for_timeout(50)
        pytest.fail("the page did not get there within 5 s")

    def middle(self, selector: str) -> tuple[float, float]:
        """Centre of an element in the window, scrolled into view."""
        box = self.page.locator(selector).first
        box.scroll_into_view_if_needed()
        edge = box.bounding_box()
        assert edge
        return edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] / 2


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One Chromium for all browser tests, closed at their end."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the path: install Debian's to run the browser tests")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Layers]:
    """A page of four joints: with spacing, without, refused, failed; and the first one's layers."""
    layers = made_layers()
    cases = [
        SeparationCase(name="joint 1", layers=layers, truth={"upper": layers.bone_image("upper")}),
        SeparationCase(name="joint 2", layers=made_layers(spacing_mm=None, flags=("look",))),
        SeparationCase(name="joint 3", layers=None, problem="only one bone was found"),
        SeparationCase(name="joint 4", layers=None, problem="cannot be read", failed=True),
    ]
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(separation_page(cases, made_run()), encoding="utf-8")
    return file, layers


@pytest.fixture
def opened(browser: Any, written: tuple[Path, Layers]) -> Iterator[Opened]:
    """The page of four joints, opened anew; no request or complaint is allowed."""
    file, layers = written
    page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
    seen = Opened(page, layers)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.complain(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector("article[data-ready]")
    yield seen
    outside = [url for url in seen.requests if url != file.as_uri() and url[:5] != "data:"]
    page.close()
    assert outside == []
    assert seen.complaints == []
