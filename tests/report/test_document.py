"""What every page shares."""

import re

import pytest

from lamella.records import RunRecord
from lamella.report import document

PAGES = ("separation.html.j2", "synthesis.html.j2")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_holds_its_notice_and_policy(name: str, run: RunRecord) -> None:
    page = document.rendered(
        name,
        title="a title",
        cases=[],
        tally=[],
        run=document.run_context(run, set()),
        colours={"tables": {}},
        style=document.joined(("report.css",)),
        script=document.joined(("report.js",)),
    )
    assert document.NOTICE in page
    assert "default-src 'none'" in page
    assert page.startswith("<!doctype html>")


def test_names_of_inputs_stay_only_where_the_page_shows_them(run: RunRecord) -> None:
    told = document.run_context(run, {"joint 1"})
    assert told["inputs"] == [("joint 1", "cd34cd34cd34"), ("", "ef56ef56ef56")]
    assert "doe" not in told["command"]


@pytest.mark.parametrize(
    "name",
    [
        "report.js",
        "synthesis.js",
        "live.js",
        "live_geometry.js",
        "live_drawing.js",
        "live_files.js",
    ],
)
def test_scripts_point_nowhere_and_name_no_unit(name: str) -> None:
    text = document.template_text(name)
    assert not re.search(r"https?:|\bimport\b|\bfetch\(|XMLHttpRequest|eval\(", text)
    assert not re.search(r"\bmm\b", text)
