"""The page of a narrowing run."""

import json
import re
from dataclasses import replace

import pytest

from lamella.records import RunRecord
from lamella.report.narrowing import PICTURED_JOINTS, Interval, joint_view, narrowing_page, run_key
from narrowings import compared


@pytest.fixture(scope="module")
def record() -> RunRecord:
    return RunRecord(
        command="lamella narrowing /scans/doe_jane/a.dcm --method exact",
        versions={"lamella": "0.1.0"},
        weights_sha256={"shares": "ab12" * 16},
        inputs_sha256={"joint 1, visit 1": "cd34" * 16},
    )


@pytest.fixture(scope="module")
def views() -> list:
    refused = compared(refused="the bones match too little")
    return [
        joint_view("joint 1", [Interval(visit=2, narrowing=compared(), days=366)]),
        joint_view("joint 2", [Interval(visit=2, narrowing=compared(flags=("tilted",)))]),
        joint_view("joint 3", [Interval(visit=2, narrowing=refused)]),
        joint_view("joint 4", [Interval(visit=2, problem="cut\nfile", failed=True)]),
        joint_view("joint 5", [Interval(visit=2, narrowing=compared(sd_mm=None))], pictured=False),
    ]


@pytest.fixture(scope="module")
def page(views, record) -> str:
    return narrowing_page(views, record)


def article(page: str, index: int) -> str:
    return re.search(rf'<template id="joint-{index}">(.*?)</template>', page, re.DOTALL)[1]


def test_each_joint_says_how_it_fared(page, views):
    assert [view["status"] for view in views] == ["ok", "flagged", "refused", "failed", "ok"]
    for status in ("ok", "flagged", "refused", "failed"):
        assert f'data-filter="{status}"' in page
    assert "tilted" in article(page, 1)
    assert "cut file" in article(page, 3)


def test_the_answer_is_in_large_letters_with_its_days(page):
    shown = article(page, 0)
    assert '<p class="headline">0.50 mm narrower</p>' in shown
    assert "Visit 2, day 366 against visit 1" in shown
    assert "1.96 × the stated SD" in shown or "smallest detectable change" in shown


@pytest.mark.parametrize("index", [2, 3])
def test_a_refusal_names_no_length(page, index):
    shown = article(page, index)
    assert '<p class="headline">No answer</p>' in shown
    without_spacing = re.sub(r"<dt>Pixel spacing</dt><dd>[^<]*</dd>", "", shown)
    assert not re.search(r"\d\s*(mm|px)\b", without_spacing)
    assert "<svg" not in without_spacing


def test_unstated_uncertainty_is_said(page):
    assert "uncertainty not stated" in article(page, 4)
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    articles = "".join(article(page, index) for index in range(5))
    assert not re.search(r"\bnan\b", re.sub(r"base64,[\w+/=]*", "", articles), re.IGNORECASE)


def test_only_pictured_joints_carry_pictures(page):
    assert re.findall(r'id="pixels-(\d)"', page) == ["0", "1", "2"]
    assert "data-hero" not in article(page, 4)
    assert f"first {PICTURED_JOINTS} joints" in article(page, 4)


def test_a_page_of_two_hundred_joints_stays_small(views, record):
    far = views[4]
    whole = [replace_name(views[0], k) for k in range(PICTURED_JOINTS)]
    whole += [replace_name(far, k) for k in range(PICTURED_JOINTS, 200)]
    assert len(narrowing_page(whole, record)) < 8_000_000


def replace_name(view, number):
    return {**view, "name": f"joint {number}"}


def test_nothing_points_outside_and_nobody_is_named(page):
    assert re.findall(r'(?:src|href)="(?!data:)', page) == []
    assert not re.search(r"https?://", page)
    assert not re.search(r"doe_|jane|scans", re.sub(r"[\w+/=]{200,}", "", page).lower())
    assert "Synthetic images" not in page


def test_views_survive_json(views, record, page):
    again = json.loads(json.dumps(views))
    assert narrowing_page(again, record) == page


def test_markup_in_a_name_is_only_text(record):
    view = joint_view("<img src=x>", [Interval(visit=2, problem="<script>alert(1)</script>")])
    page = narrowing_page([view], record)
    assert "<img src=x>" not in page
    assert "<script>alert" not in page


def test_readings_are_kept_by_what_was_compared(views, record):
    other = replace(record, inputs_sha256={"joint 1, visit 1": "ee" * 32})
    assert run_key(views, record) == run_key(views, replace(record, command="lamella narrowing"))
    assert run_key(views, record) != run_key(views, other)


def test_the_latest_answer_leads_in_the_list():
    intervals = [
        Interval(visit=2, narrowing=compared(refused="other joint")),
        Interval(visit=3, narrowing=compared()),
    ]
    view = joint_view("joint", intervals)
    assert view["status"] == "refused"
    assert view["reason"] == "0.50 mm narrower (visit 3); visit 2: no answer"


def test_an_empty_run_says_so(record):
    assert "holds no joints" in narrowing_page([], record)
