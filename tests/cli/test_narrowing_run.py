"""Tables of many joints: one bad row, Ctrl-C, resume, several processes."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from joints import coarse_phantom
from lamella.cli import narrowing_run
from lamella.cli.narrowing_run import read_record
from lamella.io.write import write_mask_png, write_png16

SPACING = ("--pixel-spacing", "0.164")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six different visits with masks."""
    folder = tmp_path_factory.mktemp("visits")
    for number in range(6):
        made = coarse_phantom(jsw_mm=1.5 - 0.1 * number, noise_seed=number)
        write_png16(folder / f"v{number}.png", np.clip(made.intensity, 0, 1))
        for bone, mask in made.masks.items():
            write_mask_png(folder / f"v{number}_mask_{bone}.png", mask)
    (folder / "text.png").write_text("no image", encoding="utf-8")
    return folder


def table(images: Path, lines: list[str], name: str = "visits.csv") -> Path:
    path = images / name
    path.write_text("\n".join(["joint,visit,image", *lines, ""]), encoding="utf-8")
    return path


THREE = [f"J{joint},{visit},v{2 * joint + visit - 1}.png" for joint in range(3) for visit in (1, 2)]


def rows_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "narrowing.csv").read_text("utf-8").splitlines()))


def figures(out: Path) -> list[tuple[str, ...]]:
    return [tuple(row.values()) for row in rows_of(out)]


def test_one_bad_row_does_not_stop_the_rest(lamella, images, tmp_path):
    lines = [
        "A,1,v0.png", "A,2,v1.png", "A,3,gone.png",
        "B,1,text.png", "B,2,v2.png",
        "C,1,v3.png", "C,later,v4.png",
        ",1,v0.png", "D,1,v0.png", "E,1,v0.png", "E,2,v0.png", "F,2025-01-01,v5.png", "F,1,v0.png",
    ]  # fmt: skip
    out = tmp_path / "out"
    ran = lamella("narrowing", "--table", table(images, lines, "bad.csv"), *SPACING, "-o", out)
    assert ran.code == 1
    found = {(row["joint"], row["followup_visit"]): row for row in rows_of(out)}
    assert found["A", "2"]["status"] != "failed"
    assert "visit 3: found no such file" in found["A", "3"]["reason"]
    assert found["B", "2"]["reason"].startswith("the baseline: expected a PNG")
    assert "line 8: expected the visit as order number" in found["C", ""]["reason"]
    assert "expected a joint" in found["line 9", ""]["reason"]
    assert "expected two or more visits of the joint, got one" in found["D", ""]["reason"]
    assert "same image as the baseline" in found["E", "2"]["reason"]
    assert "all as dates" in found["F", ""]["reason"]
    assert ran.out.count("\nfailed: ") == 7
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count('<template id="joint-') == 7


@pytest.mark.slow
def test_processes_say_the_same_as_one(lamella, images, tmp_path):
    path = table(images, THREE)
    for workers in (1, 2):
        out = tmp_path / str(workers)
        ran = lamella("narrowing", "--table", path, *SPACING, "--workers", workers, "-o", out)
        assert ran.code in (0, 1), ran.err
    assert figures(tmp_path / "1") == figures(tmp_path / "2")


def test_ctrl_c_keeps_what_is_done_and_resume_does_the_rest(lamella, images, tmp_path, monkeypatch):
    path, out = table(images, THREE), tmp_path / "out"
    words = ("narrowing", "--table", path, *SPACING, "-o", out)
    whole, made = narrowing_run.compare, []

    def until_the_second(task):
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(task.joint.name)
        return whole(task)

    monkeypatch.setattr(narrowing_run, "compare", until_the_second)
    ran = lamella(*words)
    assert (ran.code, made) == (130, ["J0"])
    assert "--resume" in ran.err
    assert [row["status"] == "not run" for row in rows_of(out)] == [False, True, True]
    monkeypatch.setattr(
        narrowing_run, "compare", lambda task: made.append(task.joint.name) or whole(task)
    )
    ran = lamella(*words, "--resume")
    assert ran.code in (0, 1), ran.err
    assert made == ["J0", "J1", "J2"]
    assert "1 joint there already" in ran.out
    lamella("narrowing", "--table", path, *SPACING, "-o", tmp_path / "fresh")
    assert figures(out) == figures(tmp_path / "fresh")


def test_ctrl_c_at_once_writes_nothing(lamella, images, tmp_path, monkeypatch):
    def stopped(task):
        raise KeyboardInterrupt

    monkeypatch.setattr(narrowing_run, "compare", stopped)
    out = tmp_path / "out"
    ran = lamella("narrowing", "--table", table(images, THREE), *SPACING, "-o", out)
    assert (ran.code, out.exists()) == (130, False)
    assert "nothing was written" in ran.err


def test_a_killed_run_can_be_resumed(lamella, images, tmp_path):
    path, out = table(images, THREE), tmp_path / "out"
    words = ("narrowing", "--table", path, *SPACING, "-o", out)
    lamella(*words)
    before = figures(out)
    for name in narrowing_run.LISTS:
        (out / name).unlink(missing_ok=True)
    (out / "joints" / "J1.json").write_text("{", encoding="utf-8")
    ran = lamella(*words, "--resume")
    assert "2 joints there already" in ran.out
    assert figures(out) == before


def test_resume_refuses_what_was_made_from_something_else(lamella, images, tmp_path):
    path, out = table(images, THREE), tmp_path / "out"
    lamella("narrowing", "--table", path, *SPACING, "-o", out)
    other = ("narrowing", "--table", path, "--pixel-spacing", "0.2", "-o", out)
    ran = lamella(*other, "--resume")
    assert (ran.code, "made from other images" in ran.err) == (2, True)
    assert rows_of(out)[0]["pixel_spacing_mm"] == "0.164"
    fewer = table(images, THREE[:2], "fewer.csv")
    ran = lamella("narrowing", "--table", fewer, "--pixel-spacing", "0.2", "-o", out, "--force")
    assert ran.code in (0, 1), ran.err
    assert [path.name for path in (out / "joints").iterdir()] == ["J0.json"]
    assert rows_of(out)[0]["pixel_spacing_mm"] == "0.2"


def test_a_record_that_is_damaged_or_foreign_is_none(tmp_path):
    path = tmp_path / "J.json"
    assert read_record(path) is None
    path.write_text(json.dumps({"joint": "J"}), encoding="utf-8")
    assert read_record(path) is None


def test_the_same_name_in_other_folders(lamella, images, tmp_path):
    for folder, number in (("one", 0), ("two", 1)):
        (images / folder).mkdir(exist_ok=True)
        for path in images.glob(f"v{number}*.png"):
            shutil.copy(path, images / folder / path.name.replace(f"v{number}", "joint"))
    lines = ["J,1,one/joint.png", "J,2,two/joint.png"]
    lamella("narrowing", "--table", table(images, lines, "two.csv"), *SPACING, "-o", tmp_path / "o")
    (row,) = rows_of(tmp_path / "o")
    assert (row["baseline"], row["followup"]) == ("joint", "joint-2")
