"""Is narrowing measured right on real joints? ``lamella evaluate narrowing-known``.

Real joints are separated, their bones moved by a known amount and the layers put together again
(:mod:`lamella.evaluation.narrowing_moved`); both images are then measured from the pixels alone,
segmented by the network. Two experiments: separated with segmented masks and with masks drawn by
hand. The separation that made the pairs is the exact one that some methods use, too; what it
gets wrong moves with the bone in both.
"""

from collections.abc import Sequence
from pathlib import Path

from lamella.evaluation.narrowing_cases import NarrowingCase, leading_methods, measured_pairs
from lamella.evaluation.narrowing_figures import measured_against_true
from lamella.evaluation.narrowing_moved import ALL, known_pairs
from lamella.evaluation.narrowing_pairs import SEED
from lamella.evaluation.narrowing_phantoms import scores_of
from lamella.evaluation.narrowing_scores import plain, score_table
from lamella.evaluation.results import save
from lamella.io.datasets import joint_rows

NAME = "narrowing_known"


def evaluate(
    data: Path, out: Path, count: int | None = None, methods: Sequence[str] | None = None
) -> str:
    """Measure a pair of each joint with every method.

    Args:
        data: manifest (``dev.json``).
        out: folder for ``narrowing_known.json``, ``.md`` and a figure.
        count: most joints; all when None.
        methods: names of comparators; all but other separators' when None.
    """
    segmented = known_cases(data, methods, count)
    drawn = known_cases(data, methods, count, drawn=True)
    scores = {"segmented": scores_of(segmented), "drawn": scores_of(drawn)}
    joints = min(len({row.joint for row in joint_rows(data)}), count or ALL)
    measured_against_true(segmented, out / NAME)
    note = (
        f"Real joints moved by a known amount: of {joints} joints, {_pairs(segmented)} had sound "
        f"masks and could be moved when separated with segmented masks, {_pairs(drawn)} with "
        "drawn ones.\n\n"
    )
    tables = [
        score_table("bones moved, masks segmented", scores["segmented"]),
        score_table("bones moved, masks drawn", scores["drawn"]),
    ]
    return save(out, NAME, {"joints": joints, **plain(scores)}, note + "\n".join(tables))


def known_cases(
    manifest: Path,
    methods: Sequence[str] | None = None,
    count: int | None = None,
    *,
    drawn: bool = False,
    seed: int = SEED,
) -> dict[str, list[NarrowingCase]]:
    """A pair of each joint: method -> its cases.

    Args:
        manifest: of real joints.
        methods: names of comparators; all but other separators' when None.
        count: most joints; all when None.
        drawn: separate with drawn masks to make the pairs; they are always measured from pixels.
        seed: of motions and noise.
    """
    pairs = known_pairs(manifest, count, drawn=drawn, seed=seed)
    return measured_pairs(pairs, leading_methods(methods), "comparing moved joints", count)


def _pairs(rows: dict[str, list[NarrowingCase]]) -> int:
    return len(next(iter(rows.values()), []))
