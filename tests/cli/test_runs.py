"""The record and the report of a run."""

import json

from lamella.cli.runs import Fate, Outcome, Run, is_own_run, run_record, write_run

RUN_FIELDS = {"command": "lamella separate …", "weights_sha256": {"shares": "11"}}
RESULT = {
    "pixel_spacing_mm": 0.1,
    "pixel_spacing_source": "phantom",
    "timings_ms": {"read": 500.0},
    "warnings": ["beware"],
}


def test_the_record_adds_up_what_the_images_took(tmp_path):
    outcomes = [
        Outcome(name=name, fate=fate, result=RESULT, inputs_sha256={name: name * 2})
        for name, fate in (("a", Fate.DONE), ("b", Fate.FLAGGED), ("c", Fate.SKIPPED))
    ]
    record = run_record(Run(out=tmp_path, seed=3, **RUN_FIELDS), outcomes, 2.0)
    assert record.timings_s == {"read": 1.0, "total": 2.0}
    assert record.inputs_sha256 == {"a": "aa", "b": "bb", "c": "cc"}
    assert record.spacing == dict.fromkeys("abc", "0.1 mm, phantom")
    assert record.warnings == ("beware (3 images)",)
    assert record.seed == 3


def test_spacing_that_is_unknown_names_no_unit():
    result = RESULT | {"pixel_spacing_mm": None, "pixel_spacing_source": "unknown"}
    assert Outcome(name="a", fate=Fate.DONE, result=result).spacing == "unknown"


def test_a_run_without_results_is_reported_too(tmp_path):
    run = Run(out=tmp_path / "out", **RUN_FIELDS)
    outcomes = [
        Outcome(name="a", fate=Fate.FAILED, reason="it is broken"),
        Outcome(name="b", fate=Fate.NOT_RUN),
    ]
    write_run(run, outcomes, 1.0)
    images = json.loads(run.file.read_text())["images"]
    assert [image["status"] for image in images] == ["failed", "not run"]
    page = run.page.read_text(encoding="utf-8")
    assert "it is broken" in page
    assert page.count('class="joint"') == 1


def test_whose_run_a_folder_holds(tmp_path):
    assert not is_own_run(tmp_path)
    for text, own in (("x", False), ("[]", False), ('{"command": "rm"}', False)):
        (tmp_path / "run.json").write_text(text)
        assert is_own_run(tmp_path) is own
    write_run(Run(out=tmp_path, **RUN_FIELDS), [], 1.0)
    assert is_own_run(tmp_path)
