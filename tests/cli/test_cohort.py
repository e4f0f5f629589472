"""A cohort's run: the same whoever makes it and however often it was stopped."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from lamella.cli import cohort as module
from lamella.cli.console import ExitCode
from lamella.io import read
from lamella.io.write import write_mask_png

REAL = module.make
LISTS = ("manifest.csv", "coco.json")


def samples_of(out):
    return {path.name: path.read_bytes() for path in (out / "samples").rglob("*") if path.is_file()}


def lists_of(out):
    return {name: (out / name).read_bytes() for name in LISTS}


def rows_of(out):
    return list(csv.DictReader((out / "manifest.csv").read_text("utf-8").splitlines()))


@pytest.fixture
def command(lamella, two_joints, tmp_path):
    """Make the cohort of ten samples again, in ``tmp_path / "out"``."""

    def run(*words):
        return lamella(
            *("synthesize", two_joints, "--jsw", "0:1:0.25", "--count", 10),
            *("--pixel-spacing", 0.164, "-o", tmp_path / "out", *words),
        )

    return run


@pytest.fixture
def copy(cohort, tmp_path):
    """The finished cohort, to be written into."""
    return shutil.copytree(cohort("png16"), tmp_path / "out")


@pytest.mark.slow
def test_several_processes_make_the_same_bytes(command, cohort, tmp_path):
    assert command("--workers", 2).code == 0
    assert samples_of(tmp_path / "out") == samples_of(cohort("png16"))
    assert lists_of(tmp_path / "out") == lists_of(cohort("png16"))


def test_another_seed_gives_other_samples(command, cohort, tmp_path):
    assert command("--seed", 5).code == 0
    one, two = rows_of(cohort("png16")), rows_of(tmp_path / "out")
    assert {row["asked_shift_mm"] for row in one}.isdisjoint(row["asked_shift_mm"] for row in two)
    assert {row["grain_seed"] for row in one}.isdisjoint(row["grain_seed"] for row in two)


def test_images_have_their_widths(cohort):
    out = cohort("png16")
    for row in rows_of(out):
        assert float(row["jsw_mm"]) == pytest.approx(float(row["asked_jsw_mm"]), abs=1e-4)
        assert read(out / row["image"]).shape == (128, 128)
    by_joint = {row["source"]: [] for row in rows_of(out)}
    for row in rows_of(out):
        by_joint[row["source"]].append(float(row["along_px"]))
    assert all(np.ptp(along) * 0.164 == pytest.approx(1.0, abs=0.3) for along in by_joint.values())


def test_ctrl_c_keeps_what_is_made_and_the_same_command_does_the_rest(
    command, cohort, tmp_path, monkeypatch
):
    out, done = tmp_path / "out", []

    def interrupted(chunk):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(chunk)
        return REAL(chunk)

    monkeypatch.setattr(module, "CHUNK", 2)
    monkeypatch.setattr(module, "make", interrupted)
    ran = command()
    assert ran.code == ExitCode.INTERRUPTED
    assert "run the same command again" in ran.err
    assert json.loads((out / "run.json").read_text())["status"] == "unfinished"
    kept = {path: path.stat().st_mtime_ns for path in (out / "samples").rglob("*.png")}
    assert len(kept) == 4 * 3
    assert len(rows_of(out)) == 4
    monkeypatch.setattr(module, "make", REAL)
    ran = command()
    assert ran.code == 0
    assert "10 of 10 samples of 2 joints (6 made, 4 there already)" in ran.out
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert samples_of(out) == samples_of(cohort("png16"))
    assert lists_of(out) == lists_of(cohort("png16"))
    assert json.loads((out / "run.json").read_text())["status"] == "finished"


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_stops_all_processes_quietly(two_joints, tmp_path):
    """A terminal sends the signal to every process of the command."""
    out = tmp_path / "out"
    words = ("--jsw", "0:1:0.01", "--count", "4000", "--pixel-spacing", "0.164", "--workers", "2")
    command = [sys.executable, "-m", "lamella", "synthesize", str(two_joints), *words, "-o", out]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        deadline = time.monotonic() + 120
        while len(list(out.glob("samples/*/*.json"))) < 40 and time.monotonic() < deadline:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == ExitCode.INTERRUPTED
    assert said == "lamella: interrupted: run the same command again to do the rest\n"
    complete = {path.stem for path in out.glob("samples/*/*.json")}
    assert 40 <= len(complete) < 4000
    assert {row["id"] for row in rows_of(out)} <= complete
    assert not list(out.rglob("*.part"))


def test_a_damaged_sample_is_made_again(command, copy, cohort):
    row, other = rows_of(copy)[:2]
    (copy / row["image"]).write_bytes(b"damaged")
    (copy / other["mask_upper"]).unlink()
    ran = command()
    assert (ran.code, ran.err) == (0, "")
    assert "(2 made, 8 there already)" in ran.out
    assert samples_of(copy) == samples_of(cohort("png16"))


def test_no_list_of_samples_is_in_memory(command, copy, monkeypatch):
    """At most one chunk's rows reach the manifest at a time."""
    sizes, real = [], module.ManifestFile.add

    def add(self, rows):
        sizes.append(len(rows))
        real(self, rows)

    monkeypatch.setattr(module.ManifestFile, "add", add)
    monkeypatch.setattr(module, "CHUNK", 3)
    assert command().code == 0
    assert sum(sizes) == 10
    assert max(sizes) <= 3


def test_a_joint_whose_space_cannot_be_measured_leaves_nothing(lamella, joint, tmp_path):
    path = joint(masks=False)
    for bone, rows, cols in (("upper", (2, 20), (4, 10)), ("lower", (100, 126), (100, 110))):
        mask = np.zeros((128, 128), bool)
        mask[slice(*rows), slice(*cols)] = True
        write_mask_png(path.with_name(f"joint_mask_{bone}.png"), mask)
    before = sorted(tmp_path.rglob("*"))
    ran = lamella(
        *("synthesize", path, "--jsw", 1, "--pixel-spacing", 0.164, "-o", tmp_path / "out")
    )
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
