"""Many images: failures do not spread, what is done stays done."""

import json

import pytest

from lamella.cli import batch
from lamella.cli.console import ExitCode
from lamella.records import BoneMasks, LamellaError

REAL = batch.taken_apart


@pytest.fixture
def folder(joint, tmp_path):
    """Three joints and a file that is no image."""
    for name in ("a.png", "b.png", "c.png"):
        joint(f"in/{name}", dim=1.0 - 0.01 * ord(name[0]) / 100)
    (tmp_path / "in" / "bad.png").write_text("not an image")
    return tmp_path / "in"


def statuses(out):
    images = json.loads((out / "run.json").read_text())["images"]
    return {image["name"]: image["status"] for image in images}


def stamps(out):
    return {path: path.stat().st_mtime_ns for path in out.glob("*/*")}


def test_a_bad_file_does_not_stop_the_others(lamella, folder, tmp_path):
    ran = lamella("separate", folder, "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (ExitCode.SOME_FAILED, "")
    lines = ran.out.splitlines()
    assert lines[0].startswith("4 images in ")
    assert lines[0].endswith(": 3 done, 0 flagged, 0 refused, 1 failed")
    assert lines[1].startswith("failed: bad: expected a PNG")
    assert lines[2] == f"report: {tmp_path / 'out' / 'report.html'}"
    expected = {"a": "done", "b": "done", "c": "done", "bad": "failed"}
    assert statuses(tmp_path / "out") == expected
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count('class="badge ok"') == 3
    assert page.count('class="badge failed"') == 1


def test_no_progress_bar_where_there_is_no_terminal(lamella, folder, tmp_path):
    assert lamella("separate", folder, "-o", tmp_path / "out").err == ""


def test_refused_and_flagged_images_are_counted_and_named(
    lamella, joint, tmp_path, phantom, monkeypatch
):
    def segment(radiograph):
        if radiograph.source == "a.png":
            return BoneMasks(masks=phantom.masks, confidence=0.1, refused="not a joint")
        return BoneMasks(masks=phantom.masks, confidence=0.9, flags=("look here",))

    monkeypatch.setattr(batch, "segment", segment)
    paths = [joint(f"{name}.png", masks=False) for name in "ab"]
    ran = lamella("separate", *paths, "-o", tmp_path / "out")
    assert ran.code == ExitCode.SOME_FAILED
    assert "0 done, 1 flagged, 1 refused, 0 failed" in ran.out
    assert "refused: a: not a joint\nflagged: b: look here\n" in ran.out
    assert not (tmp_path / "out" / "a").exists()
    ran = lamella("separate", paths[0], "-o", tmp_path / "other")
    assert (ran.code, ran.err) == (2, "lamella: a.png: not a joint\n")
    assert not (tmp_path / "other").exists()


def test_a_fault_of_lamella_stops_one_image_only(lamella, folder, tmp_path, monkeypatch):
    def faulty(job, spacing_mm):
        if job.name == "b":
            raise RuntimeError("about a patient")
        return REAL(job, spacing_mm)

    monkeypatch.setattr(batch, "taken_apart", faulty)
    ran = lamella("separate", folder, "-o", tmp_path / "out")
    assert ran.code == ExitCode.SOME_FAILED
    assert "failed: b: internal error RuntimeError, please report" in ran.out
    assert "patient" not in ran.out + ran.err
    assert statuses(tmp_path / "out")["c"] == "done"


def test_resume_skips_what_is_done(lamella, folder, tmp_path):
    out = tmp_path / "out"
    lamella("separate", folder, "-o", out)
    before = stamps(out)
    ran = lamella("separate", folder, "-o", out, "--resume")
    assert "0 done, 0 flagged, 0 refused, 1 failed, 3 already done" in ran.out
    assert stamps(out) == before
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('class="badge ok"') == 3


def test_ctrl_c_keeps_what_is_done_and_resume_does_the_rest(lamella, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def interrupted(job, spacing_mm):
        if job.name == "bb":
            raise KeyboardInterrupt
        return REAL(job, spacing_mm)

    (folder / "bad.png").rename(folder / "bb.png")
    monkeypatch.setattr(batch, "taken_apart", interrupted)
    ran = lamella("separate", folder, "-o", out)
    assert ran.code == ExitCode.INTERRUPTED
    assert "--resume" in ran.err
    assert statuses(out) == {"a": "done", "b": "done", "bb": "not run", "c": "not run"}
    assert {entry.name for entry in out.iterdir()} == {"a", "b", "run.json", "report.html"}
    before = stamps(out)
    monkeypatch.setattr(batch, "taken_apart", REAL)
    ran = lamella("separate", folder, "-o", out, "--resume")
    assert ran.code == ExitCode.SOME_FAILED
    assert "1 done, 0 flagged, 0 refused, 1 failed, 2 already done" in ran.out
    after = stamps(out)
    assert {path: after[path] for path in before} == before


def test_ctrl_c_before_the_first_result_writes_nothing(lamella, folder, tmp_path, monkeypatch):
    def interrupted(job, spacing_mm):
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "taken_apart", interrupted)
    ran = lamella("separate", folder, "-o", tmp_path / "out")
    assert (ran.code, ran.out) == (ExitCode.INTERRUPTED, "")
    assert not (tmp_path / "out").exists()
    ran = lamella("separate", folder / "a.png", "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (ExitCode.INTERRUPTED, "lamella: interrupted\n")
    assert not (tmp_path / "out").exists()


def test_ctrl_c_while_writing_leaves_no_half_result(lamella, folder, tmp_path, monkeypatch):
    def interrupted(path, mask):
        raise KeyboardInterrupt

    monkeypatch.setattr("lamella.cli.outputs.write_mask_png", interrupted)
    assert lamella("separate", folder, "-o", tmp_path / "out").code == ExitCode.INTERRUPTED
    assert not (tmp_path / "out").exists()


def test_resume_does_not_take_another_result_for_the_same(lamella, folder, joint, tmp_path):
    out = tmp_path / "out"
    lamella("separate", folder, "-o", out)
    before = stamps(out)
    for change in (["--pixel-spacing", "0.17"], []):
        if not change:
            joint("in/b.png", dim=0.9)
        ran = lamella("separate", folder, "-o", out, "--resume", *change)
        assert ran.code == ExitCode.BAD_INPUT
        assert "made from another input, mask, spacing, method or weights" in ran.err
        assert stamps(out) == before
    assert lamella("separate", folder, "-o", out, "--resume", "--force").code == 1
    after = stamps(out)
    assert {path for path in before if after[path] != before[path]} == set(out.glob("b/*"))


def test_resume_reports_a_damaged_result(lamella, folder, tmp_path):
    out = tmp_path / "out"
    lamella("separate", folder, "-o", out)
    (out / "b" / "layers.tif").write_bytes(b"damaged")
    ran = lamella("separate", folder, "-o", out, "--resume")
    assert ran.code == ExitCode.SOME_FAILED
    assert "failed: b: its earlier result is damaged" in ran.out


def test_resume_keeps_earlier_results_in_the_report(lamella, folder, tmp_path):
    out = tmp_path / "out"
    lamella("separate", folder / "a.png", "-o", out)
    lamella("separate", folder / "b.png", "-o", out, "--resume")
    assert statuses(out) == {"b": "done", "a": "already done"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('class="badge ok"') == 2


def test_what_a_killed_run_left_is_removed(lamella, folder, tmp_path):
    out = tmp_path / "out"
    stale, users = out / ".partial-b", out / ".partial-thesis"
    for path in (stale / "upper.png", users / "chapter.txt"):
        path.parent.mkdir(parents=True)
        path.write_text("half")
    lamella("separate", folder / "a.png", "-o", out)
    assert not stale.exists()
    assert (users / "chapter.txt").exists()


def test_one_image_names_itself_in_its_error(tmp_path, joint):
    from lamella.cli.separate import SeparateOptions

    path = joint()
    path.write_text("not an image")
    planned = batch.Batch.planned([path], SeparateOptions(out=tmp_path / "out"))
    with pytest.raises(LamellaError, match=r"^joint\.png: expected a PNG"):
        planned.one()
