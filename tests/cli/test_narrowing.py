"""``lamella narrowing`` as a user meets it: files, words and exit codes."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lamella.cli.narrowing import answer
from lamella.io.manifest import has_parquet
from lamella.io.write import write_mask_png, write_png16
from lamella.physics.phantoms import JointPhantom, JointPhantomSpec, joint_phantom

SPACING = ("--pixel-spacing", "0.164")
PATIENT = {
    "PatientName": "Zbigniewska^Wilhelmina",
    "PatientID": "MRN-7788123-K",
    "PatientBirthDate": "19530217",
    "AccessionNumber": "ACC-5519077",
}


def coarse(jsw_mm: float, **spec: float) -> JointPhantom:
    size = {"rows": 128, "cols": 128, "pixel_spacing_mm": 0.164}
    return joint_phantom(JointPhantomSpec(jsw_mm=jsw_mm, **size, **spec))


@pytest.fixture(scope="module")
def phantoms() -> tuple[JointPhantom, JointPhantom]:
    """1.5 mm wide, then 1.0 mm."""
    return coarse(1.5), coarse(1.0, noise_seed=5, lateral_shift_mm=0.2)


@pytest.fixture
def visits(tmp_path: Path, phantoms: tuple[JointPhantom, JointPhantom]) -> list[Path]:
    """Two visits with their masks beside them."""
    return [
        write(tmp_path / f"{name}.png", made) for name, made in zip("ab", phantoms, strict=True)
    ]


def write(path: Path, made: JointPhantom, dim: float = 1.0) -> Path:
    write_png16(path, np.clip(dim * made.intensity, 0, 1))
    for bone, mask in made.masks.items():
        write_mask_png(path.with_name(f"{path.stem}_mask_{bone}.png"), mask)
    return path


@pytest.fixture
def dicoms(dicom: Callable[..., Path]) -> Callable[..., list[Path]]:
    """DICOM visits of the given dates; the patient's name is in the headers."""

    def make(*days: str, stem: str = "visit") -> list[Path]:
        said = {"PixelSpacing": [0.164, 0.164], **PATIENT}
        return [
            dicom(f"{stem}{number}.dcm", AcquisitionDate=day, **said)
            for number, day in enumerate(days)
        ]

    return make


def rows_of(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "narrowing.csv").read_text("utf-8").splitlines()))


def words_of(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path.name}\n{path.read_bytes().decode('latin-1')}" for path in files)


def test_two_visits(lamella, visits, tmp_path):
    out = tmp_path / "out"
    ran = lamella("narrowing", *visits, *SPACING, "-o", out)
    assert ran.code in (0, 1)
    lines = ran.out.splitlines()
    assert lines[0].startswith("visit 2 against visit 1: ")
    assert lines[1:] == [f"table: {out / 'narrowing.csv'}", f"report: {out / 'report.html'}"]
    (row,) = rows_of(out)
    assert (row["joint"], row["baseline"], row["followup"], row["followup_visit"]) == (
        "a",
        "a",
        "b",
        "2",
    )
    if row["status"] in ("done", "flagged"):
        assert float(row["jsn_mm"]) == pytest.approx(0.5, abs=0.2)
    assert (row["pixel_spacing_mm"], row["pixel_spacing_source"]) == ("0.164", "given by the user")
    assert (row["baseline_masks"], row["segmenter_sha256"]) == ("given", "")
    stored = json.loads((out / "narrowing.json").read_text())["intervals"]
    assert [each["joint"] for each in stored] == ["a"]
    run = json.loads((out / "run.json").read_text())
    assert run["command"] == "lamella narrowing … --pixel-spacing 0.164"
    assert set(run["inputs_sha256"]) == {
        f"a, visit {number}{mask}"
        for number in (1, 2)
        for mask in ("", ", mask upper", ", mask lower")
    }
    assert str(tmp_path) not in words_of(out)
    assert "data-hero" in (out / "report.html").read_text(encoding="utf-8")


def test_an_unknown_spacing_gives_no_millimetres(lamella, visits, tmp_path):
    out = tmp_path / "out"
    ran = lamella("narrowing", *visits, "-o", out)
    assert ran.code == 1
    assert "no answer: " in ran.out
    (row,) = rows_of(out)
    assert (row["status"], row["jsn_mm"]) == ("refused", "")
    assert "spacing" in row["reason"]


def test_masks_once_per_visit(lamella, visits, tmp_path, phantoms):
    folder = tmp_path / "bare"
    folder.mkdir()
    bare = [path.rename(folder / path.name) for path in visits]
    masks = {
        bone: [f"--{bone}={path.with_name(f'{path.stem}_mask_{bone}.png')}" for path in visits]
        for bone in ("upper", "lower")
    }
    words = [*masks["upper"], *masks["lower"], *SPACING]
    ran = lamella("narrowing", *bare, *words, "-o", tmp_path / "out")
    assert ran.code in (0, 1), ran.err
    (row,) = rows_of(tmp_path / "out")
    assert (row["baseline_masks"], row["followup_masks"]) == ("given", "given")
    ran = lamella("narrowing", *bare, masks["upper"][0], *words[2:], "-o", tmp_path / "other")
    assert (ran.code, "once for each visit" in ran.err) == (2, True)


BAD_USAGE = [
    (["a.png", "-o", "out"], "expected two or more visits, got one"),
    (["-o", "out"], "name two or more visits"),
    (["a.png", "b.png"], "--out"),
    (["a.png", "b.png", "--table", "v.csv", "-o", "out"], "or give --table"),
    (["a.png", "b.png", "-o", "out", "--upper", "a.png"], "once for each visit"),
    (["a.png", "b.png", "-o", "out", "--pixel-spacing", "0"], "above 0 mm per pixel"),
    (["a.png", "b.png", "-o", "out", "--workers", "0"], "expected --workers from 1"),
    (["a.png", "b.png", "-o", "out", "--method", "magic"], "expected a method of exact"),
    (["a.png", "a.png", "-o", "out"], "got the same one twice"),
    (["a.png", "gone.png", "-o", "out"], "gone.png: found no such file"),
    (["a.png", "text.png", "-o", "out"], "text.png: expected a PNG"),
    (["a.png", "folder", "-o", "out"], "expected files, got a folder"),
    (["a.png", "b.png", "-o", "out", "--by-date"], "expected a DICOM date in every file"),
    (["a.png", "b.png", "-o", "a.png"], "is a file"),
    (["--table", "gone.csv", "-o", "out"], "gone.csv: found no such file"),
    (["--table", "text.png", "-o", "out"], "text.png: expected the columns"),
    (["--table", "text.png", "--by-date", "-o", "out"], "write dates into the table"),
]


@pytest.mark.parametrize(("words", "message"), BAD_USAGE)
def test_bad_input_is_one_line_and_writes_nothing(
    lamella, visits, tmp_path, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.png").write_text("no image", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    before = sorted(tmp_path.rglob("*"))
    ran = lamella("narrowing", *words)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_overwritten_without_force(lamella, visits, tmp_path):
    out = tmp_path / "out"
    words = ("narrowing", *visits, *SPACING, "-o", out)
    first = lamella(*words).code
    before = words_of(out)
    ran = lamella(*words)
    assert (ran.code, "exists already" in ran.err) == (2, True)
    assert words_of(out) == before
    assert lamella(*words, "--force").code == first


def test_dates_order_visits_and_go_nowhere(lamella, dicoms, tmp_path):
    early, late = dicoms("20240131", "20250301")
    out = tmp_path / "out"
    ran = lamella("narrowing", late, early, "--by-date", "-o", out)
    assert ran.code in (0, 1), ran.err
    (row,) = rows_of(out)
    assert (row["baseline"], row["followup"], row["days"]) == ("visit0", "visit1", "395")
    told = words_of(out) + ran.out + ran.err
    for secret in ("20240131", "2024-01-31", "20250301", "2025-03-01", *PATIENT.values()):
        assert secret not in told
    assert not re.search("zbigniewska|wilhelmina", told, re.IGNORECASE)


def test_dates_against_the_order_are_a_warning(lamella, dicoms, tmp_path):
    early, late = dicoms("20240131", "20250301")
    ran = lamella("narrowing", late, early, "-o", tmp_path / "out")
    (row,) = rows_of(tmp_path / "out")
    assert (row["baseline"], row["days"]) == ("visit1", "-395")
    assert "dates run against the order" in row["flags"]
    assert "dates run against the order" in ran.err
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "dates run against the order" in page


def test_a_patient_in_a_file_or_joint_name_is_not_shown(lamella, dicoms, tmp_path):
    first, second = dicoms("20240131", "20250301", stem="Zbigniewska_")
    table = tmp_path / "visits.csv"
    table.write_text(
        f"joint,visit,image\nWilhelmina R2,1,{first.name}\nWilhelmina R2,2,{second.name}\n",
        encoding="utf-8",
    )
    ran = lamella("narrowing", "--table", table, "-o", tmp_path / "out")
    told = words_of(tmp_path / "out") + ran.out + ran.err
    assert not re.search("zbigniewska|wilhelmina", told, re.IGNORECASE)
    (row,) = rows_of(tmp_path / "out")
    assert (row["joint"][:6], row["days"]) == ("joint-", "395")


@pytest.mark.skipif(not has_parquet(), reason="pyarrow is not installed")
def test_parquet_holds_the_same(lamella, visits, tmp_path):
    import pyarrow.parquet

    out = tmp_path / "out"
    lamella("narrowing", *visits, *SPACING, "--parquet", "-o", out)
    table = pyarrow.parquet.read_table(out / "narrowing.parquet").to_pylist()
    (row,) = rows_of(out)
    assert list(table[0]) == list(row)
    assert table[0]["pixel_spacing_mm"] == 0.164
    assert (table[0]["days"], table[0]["followup_visit"]) == (None, 2)


@pytest.mark.parametrize(
    ("jsn", "interval", "words"),
    [
        (
            0.12,
            (0.08, 0.16),
            "0.120 mm narrower (90 % interval 0.080 to 0.160 mm, positive: narrower)",
        ),
        (-0.02, (-0.1, 0.06), "not to be told from zero"),
        (0.01, (0.005, 0.015), "less than the smallest detectable change of"),
        (-0.3, (None, None), "0.300 mm wider, uncertainty not stated"),
    ],
)
def test_a_row_in_words(jsn, interval, words):
    row = {"jsn_mm": jsn, "jsn_low_mm": interval[0], "jsn_high_mm": interval[1], "reason": None}
    row["method"] = "exact"
    assert words in answer(row)
