"""Cross-visit fidelity: what lies under a real overlap? ``lamella evaluate cross_visit``.

Some joints were imaged with overlapping bones at one visit and without at another. There the
other visit shows what the overlap hides: each bone is aligned rigidly between the visits on
pixels outside the overlap, and the separated layer is compared with it inside
(:mod:`lamella.evaluation.bone_pairs`). Alignment, grey-scale matching and pixels are fixed
before any separator runs. A bone may have changed or been turned between the visits, so no
separator can reach a perfect score: the row ``beside the overlap`` shows how well the visits
agree where there is nothing to separate.

Values are means over joints; within a joint, bones and visits weigh by their pixels. Intervals
are bootstrapped by joint; patients cannot be told apart, so they are optimistic.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from lamella.evaluation.bone_pairs import BONES, BonePair, Pairing, pairs_of
from lamella.evaluation.bootstrap import RESAMPLES, Interval, mean_interval
from lamella.evaluation.results import markdown_table, save
from lamella.evaluation.rows import LAMELLA, Separated, Separator, classical_rows, standing_rows
from lamella.evaluation.trained import trained_rows
from lamella.evaluation.visit_agreement import MEASURES, VisitAgreement, pooled, visit_agreement
from lamella.evaluation.visits import FOLDS, fold_of_joint, joints_seen_both_ways
from lamella.io.datasets import JointRow, LoadedJoint, joint_rows
from lamella.records import LamellaError

NAME = "cross_visit"
NAME_SHIPPED = "cross_visit_shipped"
LIMIT = "beside the overlap"
OURS = "exact"
MANIFESTS = ("train.json", "dev.json")
HEADINGS = {
    "ncc": "NCC",
    "gradient_correlation": "gradient correlation",
    "mse": "MSE (1e-4)",
    "signed_error": "signed error (1e-2)",
}
UNITS = {"ncc": 1.0, "gradient_correlation": 1.0, "mse": 1e4, "signed_error": 1e2}

SeparatorOf = Callable[[str], Separator]
"""Joint -> a separator that never saw it."""

ByJoint = dict[str, VisitAgreement]
Summary = dict[str, dict[str, Interval]]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Agreement of one layer.

    Args:
        joint: its name.
        bone: ``upper`` or ``lower``.
        agreement: inside the overlap.
    """

    joint: str
    bone: str
    agreement: VisitAgreement


def evaluate(data: Path, out: Path, networks: Path | None = None) -> str:
    """Judge every separator by joints it never saw.

    Without ``networks``: those that learn nothing and those that ship, on one manifest
    (``dev.json``). With them: rows cross-fitted in five folds, on ``train.json`` and
    ``dev.json`` together; the shipped networks saw ``train.json`` and are no rows then.

    Args:
        data: manifest; with ``networks``, the other one lies beside it.
        out: folder for ``cross_visit.json`` and ``.md``, ``cross_visit_shipped`` without networks.
        networks: what ``lamella train cross-fit`` wrote: ``fold-K/NAME/NAME.onnx``.
    """
    if networks is None:
        rows = same_for_all(standing_rows())
        return compare(rows, joint_rows(data), out, name=NAME_SHIPPED)
    images = [row for name in MANIFESTS for row in joint_rows(data.parent / name)]
    rows = same_for_all(classical_rows()) | fitted_rows(networks, images)
    return compare(rows, images, out, OURS)


def fitted_rows(networks: Path, images: Sequence[JointRow]) -> dict[str, SeparatorOf]:
    """The rows of a cross-fit by name.

    Args:
        networks: folder with ``fold-0`` to ``fold-4``.
        images: rows of both manifests.

    Raises:
        LamellaError: a fold lacks a network that another has.
    """
    folds = [trained_rows(networks / f"fold-{fold}") for fold in range(FOLDS)]
    names = list(folds[0])
    if any(set(rows) != set(names) for rows in folds):
        raise LamellaError("expected the same networks in every fold: finish the cross-fit first")
    fold = fold_of_joint(images)
    return {name: cross_fitted([rows[name] for rows in folds], fold) for name in names}


def compare(
    rows: Mapping[str, SeparatorOf],
    images: Iterable[JointRow],
    out: Path,
    ours: str = LAMELLA,
    name: str = NAME,
) -> str:
    """Judge rows on joints seen both ways; writes and returns the tables.

    Args:
        rows: name -> separator by joint; for cross-fitted networks use
            :func:`lamella.evaluation.visits.fold_of_joint`.
        images: rows of one or more manifests.
        out: folder for the results.
        ours: the row all others are compared with.
        name: of the files.

    Raises:
        LamellaError: no joint was seen both ways, or ``ours`` is no row.
    """
    if ours not in rows:
        raise LamellaError(f"expected {ours!r} among the rows, got {', '.join(rows)}")
    pairing = pairs_of(track(joints_seen_both_ways(images), "aligning visits"))
    if not pairing.pairs:
        raise LamellaError("no joint with and without overlap: cross-visit fidelity needs both")
    compared = measure(pairing.pairs, rows)
    result = {
        "pairing": _counts(pairing),
        "rows": {name: _summary(parts) for name, parts in compared.items()},
        LIMIT: _summary(_beside(pairing.pairs)),
        f"minus_{ours}": {
            name: _summary(parts, compared[ours])
            for name, parts in compared.items()
            if name != ours
        },
    }
    return save(out, name, _plain(result), _tables(result, ours))


def same_for_all(rows: Mapping[str, Separator]) -> dict[str, SeparatorOf]:
    """Rows that are the same for every joint."""
    return {name: (lambda _, row=row: row) for name, row in rows.items()}  # type: ignore[misc]


def cross_fitted(separators: Sequence[Separator], fold: Mapping[str, int]) -> SeparatorOf:
    """The separator of the fold that held a joint out.

    Args:
        separators: one for each fold, trained on the joints of all others.
        fold: joint -> fold, see :func:`lamella.evaluation.visits.fold_of_joint`.
    """
    return lambda joint: separators[fold[joint]]


def measure(
    pairs: Sequence[BonePair], rows: Mapping[str, SeparatorOf]
) -> dict[str, list[Compared]]:
    """Agreement of every row with every pair; each visit is separated once by each row."""
    by_visit: dict[str, list[BonePair]] = defaultdict(list)
    for pair in pairs:
        by_visit[pair.image_key].append(pair)
    compared: dict[str, list[Compared]] = {name: [] for name in rows}
    for group in track(list(by_visit.values()), "separating"):
        for name, separator_of in rows.items():
            found = separated(separator_of(group[0].joint), group[0].visit)
            compared[name] += [_compared(found, pair) for pair in group]
    return compared


def separated(separator: Separator, visit: LoadedJoint) -> Separated:
    """Separate a visit with its own masks."""
    return separator(visit.radiograph, visit.masks)


def by_joint(parts: Iterable[Compared], bones: Sequence[str] = BONES) -> ByJoint:
    """Joint -> its agreement, pixels of the named bones pooled; joints in order."""
    grouped: dict[str, list[VisitAgreement]] = defaultdict(list)
    for part in parts:
        if part.bone in bones:
            grouped[part.joint].append(part.agreement)
    return {joint: pooled(grouped[joint]) for joint in sorted(grouped)}


def _compared(found: Separated, pair: BonePair) -> Compared:
    layer = found.layers[BONES.index(pair.bone)]
    return Compared(joint=pair.joint, bone=pair.bone, agreement=visit_agreement(layer, pair))


def _beside(pairs: Iterable[BonePair]) -> list[Compared]:
    return [
        Compared(
            joint=pair.joint,
            bone=pair.bone,
            agreement=visit_agreement(pair.visit.pixels, pair, pair.beside),
        )
        for pair in pairs
        if pair.beside.any()
    ]


def _summary(parts: Sequence[Compared], minus: Sequence[Compared] | None = None) -> Summary:
    """``all``, ``upper``, ``lower`` -> measure -> mean over joints, or of the difference."""
    groups = {"all": BONES, **{bone: (bone,) for bone in BONES}}
    return {
        name: _intervals(by_joint(parts, bones), by_joint(minus, bones) if minus else None)
        for name, bones in groups.items()
        if any(part.bone in bones for part in parts)
    }


def _intervals(scores: ByJoint, minus: ByJoint | None) -> dict[str, Interval]:
    def value(joint: str, measured: str) -> float:
        base = getattr(minus[joint], measured) if minus else 0.0
        return float(getattr(scores[joint], measured) - base)

    return {
        measured: mean_interval(np.array([value(joint, measured) for joint in scores]))
        for measured in MEASURES
    }


def _counts(pairing: Pairing) -> dict[str, Any]:
    return {
        "joints": len(pairing.joints),
        "pairs": len(pairing.pairs),
        "pairs_tried": pairing.tried,
        "not_aligned": pairing.not_aligned,
        "bone_not_alone_at_the_other_visit": pairing.hidden,
        "pixels": int(sum(pair.inside.sum() for pair in pairing.pairs)),
        "ncc_outside_overlap_median": float(np.median([pair.ncc for pair in pairing.pairs])),
        **{f"pairs_{bone}": sum(pair.bone == bone for pair in pairing.pairs) for bone in BONES},
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return asdict(value)
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return value


def _tables(result: Mapping[str, Any], ours: str) -> str:
    counts = result["pairing"]
    shown = {**result["rows"], f"{LIMIT}, nothing to separate": result[LIMIT]}
    heading = (
        f"**cross-visit fidelity**, {counts['joints']} joints, {counts['pairs']} pairs "
        f"({counts['pairs_upper']} upper, {counts['pairs_lower']} lower bones), "
        f"{counts['pixels']} pixels; of {counts['pairs_tried']} pairs {counts['not_aligned']} "
        f"could not be aligned, {counts['bone_not_alone_at_the_other_visit']} have the other bone "
        f"in the way at both visits. 95 % intervals, {RESAMPLES} resamples of joints; patients "
        "cannot be told apart, so they are optimistic.\n\n"
    )
    differences = result[f"minus_{ours}"]
    return "\n".join(
        [
            heading + _table("both bones", shown, "all"),
            *[_table(f"{bone} bone", shown, bone) for bone in BONES],
            f"Paired difference, row minus {ours}:\n\n" + _table("both bones", differences, "all"),
            *[_table(f"{bone} bone", differences, bone) for bone in BONES],
        ]
    )


def _table(title: str, rows: Mapping[str, Any], part: str) -> str:
    lines = [
        [name, *[_cell(row[part][key], UNITS[key]) for key in MEASURES]]
        for name, row in rows.items()
        if part in row
    ]
    return markdown_table([title, *[HEADINGS[key] for key in MEASURES]], lines)


def _cell(interval: Interval, unit: float) -> str:
    mean, low, high = (unit * end for end in (interval.mean, interval.low, interval.high))
    digits = 3 if unit == 1.0 else 1
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
