"""What a worker makes: records that describe themselves, rows that hold all of it."""

import numpy as np
import pytest

from lamella.cli.cohort_work import About, Chunk, Source, make, reach
from lamella.io.manifest import COLUMNS
from lamella.records import LamellaError
from lamella.tasks.cohort import CohortRequest, Draw

REQUEST = CohortRequest(widths_mm=(0.0, 0.5, 40.0), shift_mm=(-0.2, 0.2))


@pytest.fixture
def source(lamella, joint, tmp_path):
    lamella("separate", joint(), "-o", tmp_path / "sources", "--pixel-spacing", "0.164")
    return Source.of(tmp_path / "sources" / "joint")


def chunk(source, out, *places):
    draws = tuple(Draw(joint=source.name, width_index=at, repeat=0) for at in places)
    return Chunk(
        source=source, request=REQUEST, draws=draws, first_id=5, image_format="png16", out=out
    )


def test_a_joint_says_which_widths_it_reaches(source):
    found = reach((source, REQUEST))
    assert found.problem is None
    np.testing.assert_array_equal(found.widths, [True, True, False])


def test_a_joint_of_unknown_spacing_says_so(lamella, joint, tmp_path):
    lamella("separate", joint("plain.png"), "-o", tmp_path / "sources")
    found = reach((Source.of(tmp_path / "sources" / "plain"), REQUEST))
    assert found.widths is None
    assert "pixel spacing is unknown" in found.problem


def test_a_chunk_is_made_once(source, tmp_path):
    first = make(chunk(source, tmp_path / "out", 0, 1))
    again = make(chunk(source, tmp_path / "out", 0, 1))
    assert (first.fresh, again.fresh) == (2, 0)
    assert {name: str(value) for name, value in first.rows[1].items()} == {
        name: str(value) for name, value in again.rows[1].items()
    }
    assert (first.images, first.annotations) == (again.images, again.annotations)
    assert '"id":6' in first.images[1]


def test_a_sample_that_cannot_be_made_is_named(source, tmp_path):
    made = make(chunk(source, tmp_path / "out", 2, 0))
    assert list(made.failed) == ["joint_w002_0000"]
    assert "move by at most" in made.failed["joint_w002_0000"]
    assert (made.draws, len(made.rows), made.fresh) == (2, 1, 1)


def test_a_row_says_the_same_as_its_record(source, tmp_path):
    row = make(chunk(source, tmp_path / "out", 1)).rows[0]
    text = {name: "" if value is None else str(value) for name, value in row.items()}
    about = About.of_row(text)
    assert about.name == "joint_w001_0000"
    assert about.source["mask_sha256"] == dict(source.origin["mask_sha256"])
    assert about.layers["segmenter_sha256"] is None
    assert about.drawn["width_index"] == 1
    assert set(about.layers) | set(about.drawn) < set(COLUMNS)


@pytest.mark.parametrize("change", [{"repeat": "often"}, {"along_px": "far"}])
def test_a_damaged_row_is_one_sentence(change):
    row = dict.fromkeys(COLUMNS, "") | change
    with pytest.raises(LamellaError, match="the row is damaged"):
        About.of_row(row)
    with pytest.raises(LamellaError, match="the row is damaged"):
        About.of_row({"id": "a"})
