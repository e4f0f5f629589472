"""The page of a spine: its numbers, its words, what it must not say."""

import json
import re
from dataclasses import replace

import pytest

from assessed_spines import assessed
from lamella.records import RunRecord, Vertebra
from lamella.report.spine import spine_page
from lamella.report.spine_case import spine_case
from lamella.report.spine_words import NO_CT

SPACE = "\u202f"
RUN = RunRecord(
    command="lamella spine /scans/doe_jane/ct.nii.gz --labels /scans/doe_jane/seg.nii.gz --all",
    versions={"lamella": "0.1.0"},
    weights_sha256={"healthivert": "ab" * 32},
    inputs_sha256={"CT": "cd" * 32, "labels": "ef" * 32},
)


@pytest.fixture(scope="module")
def page() -> str:
    return spine_page(spine_case(assessed(), "The spine"), RUN)


def rows_of(page: str) -> dict[str, list[str]]:
    """Level -> its cells as text."""
    found = {}
    for level, row in re.findall(r'<tr class="\w+" data-row="(\w+)">(.*?)</tr>', page, re.DOTALL):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        found[level] = [re.sub(r"<[^>]+>", " ", cell).strip() for cell in cells]
    return found


def test_the_answer_stands_at_the_top(page):
    head = page.partition('class="spine-grid"')[0]
    assert "L1 wedge fracture, grade 2" in head
    assert f"RHLV 33 ± 3{SPACE}% (anterior)" in head
    assert "2 vertebrae graded, T12 to L2; no answer for L2." in head
    assert "a spine made by hand" in head
    assert "Research use only" in head


def test_the_table_is_the_assessment_rounded(page):
    spine, rows = assessed(), rows_of(page)
    assert list(rows) == ["T12", "L1", "L2"]
    for vertebra in spine.vertebrae[:-1]:
        for place, zone in enumerate(("anterior", "middle", "posterior")):
            cell = rows[vertebra.level][2 + place]
            observed, healthy = re.findall(r"(\d+\.\d) / (\d+\.\d)", cell)[0]
            assert observed == f"{vertebra.heights_mm.of(zone):.1f}"
            assert healthy == f"{vertebra.healthy_heights_mm.of(zone):.1f}"
            percent = round(100 * vertebra.rhlv.of(zone))
            assert cell.startswith(f"{percent or 0} ± {round(100 * vertebra.rhlv_sd.of(zone))}")
    assert rows["L2"][-1] == "cut off by the border of the volume"


def test_fractures_are_open_and_the_others_folded(page):
    found = re.findall(r'id="vertebra-(\w+)"[^>]*?( open)?>', page)
    assert found == [("L1", " open"), ("T12", ""), ("L2", "")]


def test_without_a_fracture_one_vertebra_is_open():
    spine = assessed()
    healthy = tuple(each for each in spine.vertebrae if each.level != "L1")
    page = spine_page(spine_case(replace(spine, vertebrae=healthy)), RUN)
    assert "No fracture found" in page
    assert re.findall(r'id="vertebra-(\w+)"[^>]*? open>', page) == ["T12"]


def test_it_fetches_nothing_and_names_nobody(page):
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "doe_jane" not in page
    assert "/scans" not in page
    assert "lamella spine … --labels … --all" in page


def test_labels_alone_make_the_same_page_without_images():
    page = spine_page(spine_case(assessed(with_ct=False)), RUN)
    assert NO_CT in page
    assert "data-flicker>" not in page
    assert 'data-window="bone"' not in page
    assert 'data-side="after"' not in page
    assert "L1 wedge fracture, grade 2" in page


def test_words_of_others_are_escaped():
    spine = assessed()
    strange = Vertebra(level="L2", refused="<script>alert(1)</script>", flags=("a & b",))
    page = spine_page(spine_case(replace(spine, vertebrae=(*spine.vertebrae[:2], strange))), RUN)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_data_under_the_cursor_is_that_of_the_map(page):
    losses = json.loads(re.search(r'id="spine-loss">(.*?)</script>', page, re.DOTALL)[1])
    assert set(losses) == {"T12", "L1"}
    assert losses["L1"]["step"] == 1.0


def test_a_page_stays_small(page):
    assert len(page) < 3_000_000
