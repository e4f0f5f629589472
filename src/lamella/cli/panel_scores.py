"""Scores of a reading panel: filled sheets and the sealed key in, one table out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lamella.cli.outputs import NOTICE, refuse_unwritable, write_text
from lamella.cli.panel import PanelOptions
from lamella.cli.panel_files import KEY_FILE, SCORES, read_panel, read_sheet, unseal
from lamella.io.write import guard_output, sha256_of, write_json
from lamella.tasks.reading import Kind
from lamella.tasks.reading_scores import Answers, Proportion, Score, agreement, score

ALL = "all"
POOLED = "pooled"
COLUMNS = ("set", "reader", "images", "sensitivity", "specificity", "accuracy", "Fleiss' kappa")
NOTE = (
    "Positive: generated. Exact (Clopper-Pearson) 95 % intervals; pooled answers count as "
    "independent, so pooled intervals are on the narrow side. Accuracy 0.5 is guessing."
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Args:
        images: name of the set, or ``all``.
        reader: ``reader 1`` in the order the sheets were named, or ``pooled``.
        score: of that reader.
        kappa: agreement of all readers, for the pooled line.
    """

    images: str
    reader: str
    score: Score
    kappa: float | None = None


def scored(options: PanelOptions) -> str:
    """Score every sheet, write ``scores.json`` and ``scores.md`` and return the table.

    Readers are numbered, not named: names of sheets may be names of people.

    Raises:
        LamellaError: no panel, a key that does not fit it, sheets that are not complete, or
            scores in the way.
    """
    files = [options.out / name for name in SCORES]
    panel = read_panel(options.out)
    guard_output(files, options.force)
    refuse_unwritable(options.out)
    sealed = unseal(options.key or options.out / KEY_FILE, panel["key_sha256"])
    key = {entry["image"]: Kind(entry["kind"]) for entry in sealed["images"]}
    answers = [read_sheet(sheet, list(key)) for sheet in options.score]
    rows = list(_rows(answers, key))
    text = _table(rows)
    write_json(files[0], _record(rows, options.score, panel))
    write_text(files[1], text)
    return text


def _rows(answers: Sequence[Answers], key: Answers) -> Iterator[Row]:
    """Every set and all together: each reader, then all readers."""
    sets = list(dict.fromkeys(image.partition("/")[0] for image in key))
    for name in [*sets, ALL] if len(sets) > 1 else sets:
        part = {
            image: kind for image, kind in key.items() if name in (ALL, image.partition("/")[0])
        }
        for number, said in enumerate(answers, start=1):
            yield Row(images=name, reader=f"reader {number}", score=score([said], part))
        kappa = agreement(answers, list(part))
        yield Row(images=name, reader=POOLED, score=score(answers, part), kappa=kappa)


def _record(rows: Sequence[Row], sheets: Sequence[Path], panel: dict[str, Any]) -> dict[str, Any]:
    return {
        "notice": NOTICE,
        "note": NOTE,
        "key_sha256": panel["key_sha256"],
        "sheets_sha256": [sha256_of(sheet) for sheet in sheets],
        "rows": [_row_record(row) for row in rows],
    }


def _row_record(row: Row) -> dict[str, Any]:
    measured = {
        name: {
            "hits": one.hits,
            "trials": one.trials,
            "value": one.value,
            "interval": one.interval,
        }
        for name, one in vars(row.score).items()
    }
    return {"set": row.images, "reader": row.reader, **measured, "fleiss_kappa": row.kappa}


def _table(rows: Sequence[Row]) -> str:
    lines = [list(COLUMNS), ["---"] * len(COLUMNS), *map(_cells, rows)]
    return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", NOTE, ""])


def _cells(row: Row) -> list[str]:
    measured = row.score
    return [
        row.images,
        row.reader,
        str(measured.accuracy.trials),
        *map(_said, (measured.sensitivity, measured.specificity, measured.accuracy)),
        "" if row.kappa is None else f"{row.kappa:.2f}",
    ]


def _said(proportion: Proportion) -> str:
    low, high = proportion.interval
    return f"{proportion.value:.2f} ({low:.2f} to {high:.2f})"
