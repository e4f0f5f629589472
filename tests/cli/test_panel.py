"""``lamella panel``: the command from results to scores, and what it refuses."""

import base64
import csv
import hashlib
import json
import zlib

import numpy as np
import pytest
from PIL import Image as PillowImage

import joints
from lamella.cli.outputs import Origin, described, write_result
from lamella.io.write import write_png16
from lamella.records import BoneMasks, Layers

HALF = 2
FREE = "free"
FOUR = ("--images", "4", "--side", "64")


def _write(folder, name, phantom):
    layers = Layers(
        soft_absorbance=phantom.soft_absorbance,
        bone_absorbance=phantom.bone_absorbance,
        masks=BoneMasks(masks=phantom.masks),
        radiograph=joints.radiograph_of(phantom, source="Jane Doe.png"),
        share_sd=np.zeros_like(phantom.intensity),
    )
    origin = Origin(
        name=name,
        input_sha256=hashlib.sha256(name.encode()).hexdigest()[:60]
        + (FREE if name.endswith(FREE) else ""),
    )
    write_result(folder, layers, described(layers, origin, {}))


@pytest.fixture(scope="session")
def results(tmp_path_factory):
    """Three joints with an overlap and three without."""
    folder = tmp_path_factory.mktemp("results")
    for seed in range(HALF + 1):
        _write(folder, f"Jane-Doe-{seed}", joints.coarse_phantom(seed=seed))
        _write(folder, f"Jane-Doe-{seed}{FREE}", joints.coarse_phantom(seed=seed + 10, jsw_mm=1.6))
    return folder


@pytest.fixture
def panel(lamella, results, tmp_path):
    """A panel of four upper and four lower bones."""
    out = tmp_path / "panel"
    ran = lamella("panel", results, "-o", out, "--seed", "5", *FOUR)
    assert (ran.code, ran.err) == (0, "")
    return out


def key_of(panel):
    return json.loads(zlib.decompress(base64.b64decode((panel / "key.sealed").read_bytes())))


def fill(panel, path, answer):
    """A copy of the sheet with answers: entry of the key -> word."""
    entries = {entry["image"]: entry for entry in key_of(panel)["images"]}
    with (panel / "reader_sheet.csv").open() as sheet:
        images = [row["image"] for row in csv.DictReader(sheet)]
    lines = [f"{image},{answer(entries[image])},3" for image in images]
    path.write_text("image,answer,confidence\n" + "\n".join(lines) + "\n")
    return path


def truth(entry):
    return entry["kind"]


def lie(entry):
    return {"real": "generated", "generated": "real"}[entry["kind"]]


def test_a_panel_is_balanced_alike_and_anonymous(panel):
    pictures = sorted(panel.rglob("*.png"))
    assert [path.relative_to(panel).as_posix() for path in pictures] == [
        f"{name}/{number:03d}.png" for name in ("lower", "upper") for number in range(1, 5)
    ]
    for path in pictures:
        with PillowImage.open(path) as picture:
            assert (picture.mode, picture.size, picture.info) == ("L", (64, 64), {})
    assert len({path.stat().st_size for path in pictures}) == 1
    assert len({path.stat().st_mtime for path in panel.rglob("*") if path.is_file()}) == 1
    kinds = [entry["kind"] for entry in key_of(panel)["images"]]
    assert kinds.count("real") == kinds.count("generated") == 4
    text = [path.read_text() for path in panel.glob("*.*")]
    words = [*text, json.dumps(key_of(panel))]
    assert not any(name in part for name in ("Jane-Doe", "Jane Doe") for part in words)


def test_nobody_reads_the_key_by_accident(panel):
    public = [(panel / name).read_text() for name in ("panel.json", "reader_sheet.csv")]
    assert not any("seed" in text for text in public)
    assert "generated" not in (panel / "key.sealed").read_text()


def test_real_ones_come_from_free_joints_and_generated_ones_from_overlaps(panel):
    for entry in key_of(panel)["images"]:
        is_free = entry["input_sha256"].endswith(FREE)
        assert entry["kind"] == ("real" if is_free else "generated")
        assert (entry["overlap_px"] >= 20) == (not is_free)


def test_the_seed_draws_the_same_pictures(lamella, results, panel, tmp_path):
    pictures = {}
    for name, seed in (("same", "5"), ("other", "6")):
        out = tmp_path / name
        assert lamella("panel", results, "-o", out, "--seed", seed, *FOUR).code == 0
        pictures[name] = [path.read_bytes() for path in sorted(out.rglob("*.png"))]
    assert pictures["same"] == [path.read_bytes() for path in sorted(panel.rglob("*.png"))]
    assert pictures["same"] != pictures["other"]
    assert key_of(panel)["salt"] != key_of(tmp_path / "same")["salt"]


def test_joints_are_left_out_unless_generated_ones_are_given(lamella, results, tmp_path):
    ran = lamella("panel", results, "-o", tmp_path / "a", *FOUR)
    assert "joint: left out, a recomposed joint equals its input" in ran.out
    for seed in range(3):
        phantom = joints.coarse_phantom(seed=seed, noise_seed=7)
        write_png16(tmp_path / f"made{seed}.png", phantom.intensity)
    words = ("--generated-joints", tmp_path, *FOUR)
    assert lamella("panel", results, "-o", tmp_path / "b", *words).code == 0
    entries = [one for one in key_of(tmp_path / "b")["images"] if one["image"].startswith("joint")]
    assert sorted(one["kind"] for one in entries) == ["generated"] * 2 + ["real"] * 2
    with PillowImage.open(tmp_path / "b" / "joint" / "001.png") as picture:
        assert picture.size == (128, 128)


def test_scores_of_a_perfect_and_a_deceived_reader(lamella, panel, tmp_path):
    sheets = [fill(panel, tmp_path / "a.csv", truth), fill(panel, tmp_path / "b.csv", lie)]
    ran = lamella("panel", "-o", panel, "--score", *sheets)
    assert (ran.code, ran.err) == (0, "")
    assert (panel / "scores.md").read_text() in ran.out
    scores = json.loads((panel / "scores.json").read_text())
    rows = {(row["set"], row["reader"]): row for row in scores["rows"]}
    assert rows["upper", "reader 1"]["accuracy"]["value"] == 1.0
    assert rows["all", "reader 2"]["sensitivity"]["value"] == 0.0
    assert rows["all", "pooled"]["accuracy"] == {
        "hits": 8,
        "trials": 16,
        "value": 0.5,
        "interval": pytest.approx([0.2465, 0.7535], abs=1e-3),
    }
    assert rows["lower", "pooled"]["fleiss_kappa"] == pytest.approx(-1.0)
    assert "a.csv" not in (panel / "scores.json").read_text()


def test_a_key_kept_elsewhere_is_named(lamella, panel, tmp_path):
    sheet = fill(panel, tmp_path / "a.csv", truth)
    kept = (panel / "key.sealed").rename(tmp_path / "kept")
    assert lamella("panel", "-o", panel, "--score", sheet).code == 2
    assert lamella("panel", "-o", panel, "--score", sheet, "--key", kept).code == 0


def test_scores_are_not_overwritten_without_force(lamella, panel, tmp_path):
    words = ("panel", "-o", panel, "--score", fill(panel, tmp_path / "a.csv", truth))
    assert [lamella(*words).code, lamella(*words).code] == [0, 2]
    assert lamella(*words, "--force").code == 0


def test_a_panel_is_replaced_only_with_force_and_only_when_blank(lamella, results, panel):
    words = ("panel", results, "-o", panel, *FOUR)
    before = (panel / "key.sealed").read_bytes()
    assert lamella(*words).code == 2
    assert (panel / "key.sealed").read_bytes() == before
    assert lamella(*words, "--force").code == 0
    assert (panel / "key.sealed").read_bytes() != before
    filled = fill(panel, panel / "reader_sheet.csv", truth).read_text()
    ran = lamella(*words, "--force")
    assert ran.code == 2
    assert "perhaps answers" in ran.err
    assert (panel / "reader_sheet.csv").read_text() == filled


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "name a folder"),
        (("--images", "7"), "expected --images even"),
        (("--images", "2"), "at least 4"),
        (("--side", "8"), "expected --side from 16"),
        (("--smallest-overlap", "0"), "expected --smallest-overlap of 1"),
        (("--seed=-1",), "expected --seed from 0"),
        (("--key", "k"), "--key belongs to --score"),
        (("--images", "8"), "got 3 and 3: lower --images"),
    ],
)
def test_bad_usage_is_one_line_and_writes_nothing(lamella, results, tmp_path, words, says):
    given = (results, *words) if words else ()
    ran = lamella("panel", *given, "-o", tmp_path / "panel")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert says in ran.err
    assert list(tmp_path.iterdir()) == []


def test_scoring_takes_sheets_only(lamella, results, panel, tmp_path):
    sheet = fill(panel, tmp_path / "a.csv", truth)
    ran = lamella("panel", results, "-o", panel, "--score", sheet)
    assert ran.code == 2
    assert "name the panel's folder with --out" in ran.err
