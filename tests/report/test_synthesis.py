"""The page of a synthesis run."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from lamella.records import Layers, RunRecord
from lamella.report import Sample, SynthesisCase, synthesis_page
from lamella.zoo.verbs import adjustable


@pytest.fixture
def page(make_layers: Callable[..., Layers], run: RunRecord) -> str:
    """One joint with two samples, one flagged, one refused."""
    pixels = np.linspace(0, 1, 64 * 80, dtype=np.float32).reshape(64, 80)
    samples = [Sample(label=f"JSW {width:.1f}", pixels=pixels) for width in (0.5, 1.5)]
    flagged = adjustable(make_layers(flags=("possible sesamoid",)))
    cases = [
        SynthesisCase(name="joint 1", joint=adjustable(make_layers()), samples=samples),
        SynthesisCase(name="joint 2", joint=flagged, side="L"),
        SynthesisCase(name="joint 3", joint=None, problem="no articular\nend in view"),
    ]
    return synthesis_page(cases, run, title="Ten joints")


def test_every_joint_that_can_move_is_live(page: str) -> None:
    assert re.findall(r'id="live-(\d)"', page) == ["0", "1"]
    assert page.count("data-live-view") >= 2
    assert ">L<" in page
    assert "side unknown" in page


def test_the_contact_sheet_shows_every_sample_with_its_label(page: str) -> None:
    assert page.count('<div class="sheet-view">') == 2
    assert "<figcaption>JSW 0.5</figcaption>" in page
    assert page.count('<span class="burnt">synthetic</span>') == 2


def test_joints_are_sorted_by_how_they_fared(page: str) -> None:
    for status in ("ok", "flagged", "refused"):
        assert f'data-filter="{status}"' in page
    assert '<p class="why">no articular end in view</p>' in page
    assert "possible sesamoid" in page


def test_nothing_points_outside_and_nobody_is_named(page: str) -> None:
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert "http://" not in page
    assert "https://" not in page
    words = re.sub(r"[\w+/=]{200,}", "", page).lower()
    assert not re.search(r"\bdoe\b|doe_", words)
    assert "<title>Ten joints · Lamella</title>" in page


def test_an_empty_run_says_so(run: RunRecord) -> None:
    assert "holds no joints" in synthesis_page([], run)
