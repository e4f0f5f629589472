"""Pools of crops: made once, whole, source by source, the same with one process or two."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from lamella.methods.healthivert.channels import SHAPE
from lamella.records import LamellaError
from lamella.training.spine_crops import CropFacts, SpineCrop
from lamella.training.spine_pool import Source, kept_pool

FACTS = dict.fromkeys(CropFacts.__dataclass_fields__, 1.0)


@dataclass(frozen=True)
class Plain:
    """Makes crops of one grey, and leaves a mark each time."""

    grey: int
    count: int
    marks: Path

    def __repr__(self) -> str:
        return f"Plain({self.grey}, {self.count})"

    def __call__(self) -> list[SpineCrop]:
        (self.marks / f"{self.grey}-{len(list(self.marks.iterdir()))}").touch()
        facts = CropFacts(**(FACTS | {"number": 20, "grade": self.grey % 4, "real": 0}))
        box = np.full(SHAPE, self.grey, np.uint8)
        return [SpineCrop(grey=box, parts=box, facts=facts) for _ in range(self.count)]


@pytest.fixture
def marks(tmp_path) -> Path:
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


def sources(marks: Path, *greys: int, count: int = 2) -> list[Source]:
    return [Source(name=f"grey{grey}", make=Plain(grey, count, marks)) for grey in greys]


def test_a_pool_goes_on_where_it_was_interrupted(tmp_path, marks):
    kept_pool(tmp_path / "pool", sources(marks, 1))
    pool = kept_pool(tmp_path / "pool", sources(marks, 1, 2))
    assert [int(crop.grey[0, 0, 0]) for crop in pool.crops] == [1, 1, 2, 2]
    np.testing.assert_array_equal(pool.grades, [1, 1, 2, 2])
    assert len(list(marks.iterdir())) == 2


def test_processes_change_nothing_but_who_works(tmp_path, marks):
    wanted = sources(marks, 3, 1, 2, count=1)
    one, two = (kept_pool(tmp_path / str(n), wanted, processes=n) for n in (1, 2))
    assert [crop.facts for crop in one.crops] == [crop.facts for crop in two.crops]
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == sorted(
        path.name for path in (tmp_path / "2").iterdir()
    )


def test_another_source_is_another_file(marks):
    few, many = (sources(marks, 1, count=count)[0] for count in (1, 2))
    assert few.file != many.file
    assert few.file == sources(marks, 1, count=1)[0].file


def test_a_source_without_crops_leaves_an_empty_file_and_a_pool_without_any_is_refused(
    tmp_path, marks
):
    empty = sources(marks, 1, count=0)
    assert len(kept_pool(tmp_path / "pool", empty + sources(marks, 2))) == 2
    with pytest.raises(LamellaError, match="got none"):
        kept_pool(tmp_path / "pool", empty)
