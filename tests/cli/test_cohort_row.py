"""Any sample again from its row, bit for bit, with or without the radiograph."""

import csv
import shutil

import pytest

from lamella.io.write import write_mask_png


def last_row(out):
    return list(csv.DictReader((out / "manifest.csv").read_text("utf-8").splitlines()))[-1]


@pytest.fixture
def again(lamella, tmp_path):
    """Make the last sample of a cohort again, in ``tmp_path / "again"``."""

    def run(out, *images, name=None):
        row = f"{out / 'manifest.csv'}:{name or last_row(out)['id']}"
        return lamella("synthesize", *images, "--row", row, "-o", tmp_path / "again")

    return run


@pytest.mark.parametrize(("kind", "named"), [("png16", False), ("png16", True), ("dicom", True)])
def test_every_file_of_the_sample_is_the_same(again, cohort, two_joints, tmp_path, kind, named):
    out, images = cohort(kind), [two_joints] if named else []
    ran = again(out, *images)
    assert (ran.code, ran.err) == (0, "")
    assert "the same as in its row" in ran.out
    for column in ("image", "mask_upper", "mask_lower", "annotation"):
        first = out / last_row(out)[column]
        assert (tmp_path / "again" / first.name).read_bytes() == first.read_bytes()
    assert len(list((tmp_path / "again").iterdir())) == 4


def test_nothing_is_overwritten(again, cohort):
    assert again(cohort("png16")).code == 0
    ran = again(cohort("png16"))
    assert ran.code == 2
    assert "exists already" in ran.err


def test_another_radiograph_is_refused(again, cohort, joint, tmp_path):
    ran = again(cohort("png16"), joint("c.png", dim=0.9))
    assert ran.code == 2
    assert "found no radiograph with the row's source_sha256" in ran.err
    assert not (tmp_path / "again").exists()


def test_another_mask_is_refused(again, cohort, two_joints, tmp_path, phantom):
    folder = shutil.copytree(two_joints, tmp_path / "in")
    name = f"{last_row(cohort('png16'))['source']}_mask_upper.png"
    mask = phantom.masks["upper"].copy()
    mask[:3] = False
    write_mask_png(folder / name, mask)
    ran = again(cohort("png16"), folder)
    assert ran.code == 2
    assert "mask sha256 is not the row's" in ran.err
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("id", "nobody", "the id of one of its samples"),
        ("grain_seed", "1", "the image made differs from the row's"),
        ("separator_sha256", "00", "separator sha256 is not the row's"),
        ("repeat", "often", "the row is damaged"),
        ("along_px", "", "the row's pose is missing or damaged"),
    ],
)
def test_a_changed_row_is_one_line(again, cohort, tmp_path, column, value, said):
    row = last_row(cohort("png16")) | {column: value}
    out = tmp_path / "changed"
    out.mkdir()
    with (out / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    (out / "sources").symlink_to(cohort("png16") / "sources")
    ran = again(out, name=last_row(cohort("png16"))["id"])
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "again").exists()


def test_without_its_layers_the_radiograph_is_asked_for(again, cohort, tmp_path):
    shutil.copy(cohort("png16") / "manifest.csv", tmp_path / "manifest.csv")
    ran = again(tmp_path)
    assert ran.code == 2
    assert "name the radiograph as well" in ran.err
