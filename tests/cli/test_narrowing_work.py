"""One joint compared: each visit read once, each follow-up a row."""

import pytest

from lamella.cli import narrowing_work
from lamella.cli.narrowing import NarrowingOptions
from lamella.cli.narrowing_plan import named_joint
from lamella.cli.narrowing_work import Task, compare
from lamella.records import LamellaError
from lamella.zoo.models import weights_sha256


@pytest.fixture
def task(tmp_path, joint):
    """Three visits."""
    paths = [joint(f"{name}.png", dim=dim) for name, dim in (("a", 1.0), ("b", 0.99), ("c", 0.98))]
    options = NarrowingOptions(out=tmp_path / "out", pixel_spacing_mm=0.164)
    planned = named_joint(paths, options)
    return Task(joint=planned, method="exact", weights=weights_sha256(), pictured=False)


def test_the_first_visit_against_each_later_one(task):
    record = compare(task)
    assert [(row["baseline"], row["followup"]) for row in record["rows"]] == [
        ("a", "b"),
        ("a", "c"),
    ]
    assert [each["visit"] for each in record["view"]["intervals"]] == [2, 3]
    assert record["view"]["pixels"] is None
    assert record["complete"]


def test_every_visit_is_prepared_once(task, monkeypatch):
    prepared, whole = [], narrowing_work.prepare_visit

    def counted(radiograph, masks, method):
        prepared.append(radiograph.source)
        return whole(radiograph, masks, method)

    monkeypatch.setattr(narrowing_work, "prepare_visit", counted)
    compare(task)
    assert prepared == ["a.png", "b.png", "c.png"]


def test_a_method_that_fails_is_a_refusal(task, monkeypatch):
    def failing(first, second, method):
        raise LamellaError("the bones cannot be found in each other")

    monkeypatch.setattr(narrowing_work, "narrowing", failing)
    record = compare(task)
    assert record["status"] == "refused"
    assert record["rows"][0]["reason"] == "the bones cannot be found in each other"
    assert record["rows"][0]["jsn_mm"] is None


def test_a_fault_in_one_joint_does_not_stop_the_others(task, monkeypatch):
    def faulty(first, second, method):
        raise ZeroDivisionError("private matter")

    monkeypatch.setattr(narrowing_work, "narrowing", faulty)
    reason = compare(task)["rows"][0]["reason"]
    assert reason == "internal error ZeroDivisionError, please report"


def test_the_origin_changes_with_what_counts(task):
    from dataclasses import replace

    origin = task.origin()
    assert origin == replace(task, pictured=True, strict=True).origin()
    assert origin != replace(task, method="no-separation").origin()
    later = replace(task.joint, visits=task.joint.visits[:2])
    assert origin != replace(task, joint=later).origin()
