"""``lamella spine`` as a user meets it: files, words, exit codes, and what bad input does."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from assessed_spines import assessed, phantoms
from lamella.cli import spine_run
from lamella.cli.console import UsageError
from lamella.cli.spine import SpineOptions, level_names
from lamella.io.label_schemes import SCHEMES
from lamella.io.nifti import write_nifti
from lamella.io.volume import write_volume
from lamella.records import VERSE_IDS, CTVolume
from lamella.zoo.spine import DRAWING

LEVELS = ("T11", "T12", "L1", "L2")
PERSON = "zbigniewska"


@pytest.fixture(scope="module")
def spine_files(tmp_path_factory) -> tuple[Path, Path]:
    """CT and labels of a phantom with a wedge at L1; the files' names name a person."""
    folder = tmp_path_factory.mktemp(PERSON)
    phantom, _ = phantoms(LEVELS)
    ct, labels = folder / f"{PERSON}_ct.nii.gz", folder / f"{PERSON}_seg.nii.gz"
    write_volume(phantom.ct, ct)
    write_volume(phantom.labels, labels)
    return ct, labels


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    lines = csv.DictReader((out / "vertebrae.csv").read_text("utf-8").splitlines())
    return {row["level"]: row for row in lines}


def words_of(folder: Path) -> str:
    return "\n".join(
        f"{path.name}\n{path.read_bytes().decode('latin-1')}" for path in folder.rglob("*.*")
    )


def test_labels_alone_are_enough(lamella, spine_files, tmp_path):
    out = tmp_path / "out"
    ran = lamella("spine", "--labels", spine_files[1], "-o", out)
    assert (ran.code, ran.err) == (0, "")
    assert "no pseudo-healthy image was made" in ran.out
    assert ran.out.splitlines()[-1] == f"report: {out / 'report.html'}"
    assert sorted(path.name for path in out.iterdir()) == [
        "report.html",
        "run.json",
        "vertebrae.csv",
        "vertebrae.json",
    ]
    assert list(rows_of(out)) == list(LEVELS)
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert run["command"] == "lamella spine … --labels …"
    assert list(run["inputs_sha256"]) == ["labels"]
    assert run["weights_sha256"] == {}
    assert {"reading", "assessing", "total"} <= set(run["timings_s"])


def test_the_page_the_table_and_the_shell_say_the_same(lamella, spine_files, tmp_path):
    out = tmp_path / "out"
    ran = lamella("spine", spine_files[0], "--labels", spine_files[1], "--no-generate", "-o", out)
    assert ran.code == 0, ran.err
    page = (out / "report.html").read_text("utf-8")
    for level, row in rows_of(out).items():
        found = re.search(f'data-row="{level}">(.*?)</tr>', page, re.DOTALL)
        assert found
        if row["refused"]:
            continue
        for zone in ("anterior", "middle", "posterior"):
            pair = f"{float(row[f'{zone}_mm']):.1f} / {float(row[f'healthy_{zone}_mm']):.1f}"
            assert pair in found[1]
        if int(row["grade"]):
            assert f"{level} {row['kind']} fracture, grade {row['grade']}: RHLV" in ran.out
    assert rows_of(out)["L1"]["grade"] in ("1", "2", "3")


def test_one_file_per_vertebra_as_a_shell_lists_them(lamella, tmp_path):
    phantom, _ = phantoms(LEVELS)
    names = []
    for level in LEVELS:
        names.append(tmp_path / f"vertebrae_{level}.nii.gz")
        mask = (phantom.labels.ids == VERSE_IDS[level]).astype(np.uint8)
        write_nifti(names[-1], mask, phantom.labels.affine)
    ran = lamella("spine", "--labels", *names, "--method", "norms", "-o", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert list(rows_of(tmp_path / "out")) == list(LEVELS)


def test_every_label_scheme_is_named_in_the_help(lamella):
    told = " ".join(lamella("spine", "--help").out.replace("│", " ").split())
    assert all(re.search(rf"\b{name}\b(?!-)", told) for name in SCHEMES)


def test_nothing_says_whose_it_is(lamella, spine_files, tmp_path):
    out = tmp_path / "out"
    ran = lamella("spine", spine_files[0], "--labels", spine_files[1], "--no-generate", "-o", out)
    assert PERSON not in words_of(out)
    assert PERSON not in ran.out + ran.err


@pytest.fixture
def handmade(monkeypatch):
    """An assessment with a pseudo-healthy CT, whatever is read; ``asked`` keeps the request."""
    asked: dict[str, object] = {}

    def assess(ct, labels, **how):
        asked.update(how, ct=ct)
        return assessed(LEVELS, with_ct=ct is not None and how["generate"] != ())

    monkeypatch.setattr(spine_run, "assess_spine", assess)
    return asked


def test_the_pseudo_healthy_volumes_lie_on_the_ct_s_grid_and_say_what_they_are(
    lamella, spine_files, tmp_path, handmade
):
    out = tmp_path / "out"
    ran = lamella("spine", spine_files[0], "--labels", spine_files[1], "-o", out)
    assert ran.code == 0, ran.err
    assert "pseudo-healthy CT (synthetic): " in ran.out
    run = json.loads((out / "run.json").read_text("utf-8"))
    assert sorted(run["weights_sha256"]) == sorted(DRAWING)
    given = nibabel.load(spine_files[0])
    for name in ("pseudo_healthy_ct.nii.gz", "pseudo_healthy_labels.nii.gz"):
        made = nibabel.load(out / name)
        assert made.shape == given.shape
        np.testing.assert_allclose(made.affine, given.affine, atol=1e-5)
        assert b"SYNTHETIC" in made.header["descrip"].tobytes()


def test_a_new_run_leaves_no_volume_of_the_old_one(lamella, spine_files, tmp_path, handmade):
    out = tmp_path / "out"
    words = ("spine", spine_files[0], "--labels", spine_files[1], "-o", out)
    assert lamella(*words).code == 0
    before = words_of(out)
    ran = lamella(*words, "--no-generate")
    assert (ran.code, "--force" in ran.err, words_of(out)) == (2, True, before)
    assert lamella(*words, "--no-generate", "--force").code == 0
    assert not (out / "pseudo_healthy_ct.nii.gz").exists()


@pytest.mark.parametrize(
    ("asked", "generate"),
    [
        ({}, None),
        ({"every": True}, "all"),
        ({"levels": "t12, L1"}, ("T12", "L1")),
        ({"generate": False}, ()),
    ],
)
def test_which_vertebrae_are_generated(asked, generate):
    assert SpineOptions(labels=(), out=Path(), **asked).wanted == generate


def test_the_request_reaches_the_task(lamella, spine_files, tmp_path, handmade):
    ct, labels = spine_files
    words = ("--levels", "t12,L1", "--method", "norms")
    ran = lamella("spine", ct, "--labels", labels, *words, "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    assert (handmade["generate"], handmade["method"]) == (("T12", "L1"), "norms")
    assert handmade["ct"].shape == nibabel.load(ct).shape


def test_ctrl_c_writes_nothing(lamella, spine_files, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(spine_run, "assess_spine", stop)
    ran = lamella("spine", "--labels", spine_files[1], "-o", tmp_path / "out")
    assert ran.code == 130
    assert ran.err == "lamella: interrupted: nothing was written\n"
    assert not (tmp_path / "out").exists()


BAD_USAGE = [
    (["-o", "out"], "--labels"),
    (["--labels", "seg.nii.gz"], "--out"),
    (["ct.nii.gz", "--labels", "seg.nii.gz", "--levels", "L9", "-o", "out"], "got L9"),
    (["ct.nii.gz", "--labels", "seg.nii.gz", "--levels", ",", "-o", "out"], "got none"),
    (["--labels", "seg.nii.gz", "--all", "-o", "out"], "needs a CT"),
    (["ct.nii.gz", "--labels", "seg.nii.gz", "--all", "--no-generate", "-o", "out"], "leave out"),
    (["ct.nii.gz", "--labels", "seg.nii.gz", "--all", "--levels", "L1", "-o", "out"], "not both"),
    (["--labels", "gone.nii.gz", "-o", "out"], "gone.nii.gz: found no such file"),
    (["gone.nii.gz", "--labels", "seg.nii.gz", "-o", "out"], "gone.nii.gz: found no such file"),
    (
        ["--labels", "seg.nii.gz", "ct.nii.gz", "-o", "out"],
        "got seg.nii.gz, ct.nii.gz: give the CT",
    ),
    (
        ["--labels", "L1.nii", "L2.nii", "ct.nii.gz", "-o", "out"],
        "got ct.nii.gz: give the CT first",
    ),
    (["--labels", "-o", "out"], "expected label files, got none"),
    (["--labels", "text.txt", "-o", "out"], "text.txt: expected"),
    (["--labels", "seg.nii.gz", "--label-scheme", "magic", "-o", "out"], "got 'magic'"),
    (["--labels", "seg.nii.gz", "--method", "magic", "-o", "out"], "got 'magic'"),
    (["ct.nii.gz", "--labels", "seg.nii.gz", "--levels", "T4", "-o", "out"], "got T4"),
    (["--labels", "one.nii.gz", "--label-scheme", "verse", "-o", "out"], "at least two vertebrae"),
    (["--labels", "empty.nii.gz", "-o", "out"], "empty"),
    (["ct.nii.gz", "--labels", "far.nii.gz", "-o", "out"], "labels of another place"),
    (["seg.nii.gz", "--labels", "ct.nii.gz", "-o", "out"], "give the CT as the CT"),
    (["mr.nii.gz", "--labels", "seg.nii.gz", "-o", "out"], "as in an MR"),
    (["unit.nii.gz", "--labels", "seg.nii.gz", "-o", "out"], "before it was normalised"),
    (["--labels", "seg.nii.gz", "-o", "text.txt"], "is a file"),
]


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory, spine_files) -> Path:
    """Good files, and those that must be refused."""
    folder = tmp_path_factory.mktemp("inputs")
    phantom, _ = phantoms(LEVELS)
    ct, labels = phantom.ct, phantom.labels
    write_volume(ct, folder / "ct.nii.gz")
    write_volume(labels, folder / "seg.nii.gz")
    lone = np.where(labels.ids == 20, labels.ids, 0).astype(np.uint8)
    write_volume(replace(labels, ids=lone), folder / "one.nii.gz")
    write_nifti(folder / "empty.nii.gz", np.zeros_like(lone), labels.affine)
    away = labels.affine.copy()
    away[:3, 3] += 2000.0
    write_volume(replace(labels, affine=away), folder / "far.nii.gz")
    mr = CTVolume(hu=np.clip(ct.hu + 300.0, 0, 900).astype(np.float32), affine=ct.affine)
    write_volume(mr, folder / "mr.nii.gz")
    unit = ((ct.hu - ct.hu.min()) / np.ptp(ct.hu)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(unit, ct.affine), folder / "unit.nii.gz")
    (folder / "text.txt").write_text("no volume", encoding="utf-8")
    return folder


@pytest.mark.parametrize(("words", "message"), BAD_USAGE)
def test_bad_input_is_one_line_and_writes_nothing(lamella, bad_files, monkeypatch, words, message):
    monkeypatch.chdir(bad_files)
    before = sorted(bad_files.rglob("*"))
    ran = lamella("spine", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(bad_files.rglob("*")) == before


def test_level_names_are_told_apart_by_commas():
    assert level_names("t12, L1,t12") == ("T12", "L1")
    with pytest.raises(UsageError, match="got X1"):
        level_names("T12,X1")


def test_a_command_names_no_file():
    options = SpineOptions(
        labels=(Path("doe_jane.nii.gz"),),
        out=Path("doe"),
        bodies=Path("doe_jane_body.nii.gz"),
        levels="T12,L1",
        label_scheme="verse",
        force=True,
    )
    said = options.command
    assert said == (
        "lamella spine … --labels … --bodies … --label-scheme verse --levels T12,L1 --force"
    )
