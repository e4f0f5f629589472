"""A table of visits: which joint was imaged when, and in which file.

One row per visit, CSV with a header; comma, semicolon or tab between cells. ``joint`` names the
joint, ``visit`` is its order number or ISO date, ``image`` the file, relative to the table. Masks
(``mask_upper``, ``mask_lower``) and ``pixel_spacing_mm`` are optional. A cell's text is repeated in
no message, for it may name a person.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from lamella.io.boundary import checked_spacing, named, printable_name, refuse_unusable_file
from lamella.records import LamellaError

REQUIRED = ("joint", "visit", "image")
BONES = ("upper", "lower")
DELIMITERS = ",;\t"
MOST_ROWS = 1_000_000
LONGEST_JOINT = 80


@dataclass(frozen=True, kw_only=True)
class VisitRow:
    """One visit of one joint.

    Args:
        line: of the table, the header being line 1.
        joint: as the table names it, printable; empty when it names none.
        image: the radiograph's file, or None where the table names none.
        order: number of the visit when the table gives one.
        day: when the table gives a date.
        masks: bone -> file.
        pixel_spacing_mm: when the table gives one.
        problem: why the row cannot be used, or None.
    """

    line: int
    joint: str = ""
    image: Path | None = None
    order: float | None = None
    day: date | None = None
    masks: Mapping[str, Path] = field(default_factory=dict)
    pixel_spacing_mm: float | None = None
    problem: str | None = None

    @property
    def is_placed(self) -> bool:
        """True when the table says where it stands among its joint's visits."""
        return self.order is not None or self.day is not None


def read_visits(path: Path) -> list[VisitRow]:
    r"""Every row that is not blank, bad ones with their problem.

    Raises:
        LamellaError: no such table, one without the columns or rows, or not UTF-8 text.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp()) / "visits.csv"
        >>> _ = table.write_text("joint,visit,image\nMCP 2,1,a.png\nMCP 2,2024-05-31,b.png\n")
        >>> [(row.joint, row.order, row.day is not None) for row in read_visits(table)]
        [('MCP 2', 1.0, False), ('MCP 2', None, True)]
    """
    with named(printable_name(path.absolute())):
        if path.is_dir():
            raise LamellaError("expected a CSV table, got a folder: name the file")
        lines = _lines(path)
        header = [cell.strip().lower() for cell in lines[0]] if lines else []
        missing = [name for name in REQUIRED if name not in header]
        if missing:
            raise LamellaError(
                f"expected the columns joint, visit and image, found no {missing[0]}: name them in "
                "the first line"
            )
        filled = [(number, line) for number, line in enumerate(lines[1:], 2) if any(line)]
        if not 0 < len(filled) <= MOST_ROWS:
            raise LamellaError(f"expected 1 to {MOST_ROWS} visits below the header: add rows")
    return [_row(number, header, line, path.parent) for number, line in filled]


def _lines(path: Path) -> list[list[str]]:
    """Cells of every line, divided by what the header holds most of."""
    refuse_unusable_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except (OSError, ValueError, csv.Error):
        raise LamellaError("expected a CSV table in UTF-8: save it as that") from None


def _row(number: int, header: list[str], line: list[str], folder: Path) -> VisitRow:
    cells = {name: text.strip() for name, text in zip(header, line, strict=False)}
    image = folder / cells["image"] if cells.get("image") else None
    shown = "".join(char if char.isprintable() else "?" for char in cells.get("joint", ""))
    order, day = _when(cells.get("visit", ""))
    placed = VisitRow(line=number, joint=shown[:LONGEST_JOINT], image=image, order=order, day=day)
    try:
        if any(line[len(header) :]):
            raise LamellaError("expected a cell per column, got more: quote cells with a comma")
        _refuse_gaps(cells, placed)
        return replace(
            placed,
            masks=_masks(cells, folder),
            pixel_spacing_mm=_spacing(cells.get("pixel_spacing_mm") or None),
        )
    except LamellaError as error:
        return replace(placed, problem=f"line {number}: {error}")


def _refuse_gaps(cells: Mapping[str, str], placed: VisitRow) -> None:
    empty = [name for name in REQUIRED if not cells.get(name)]
    if empty:
        article = "an" if empty[0] == "image" else "a"
        raise LamellaError(f"expected {article} {empty[0]}, got an empty cell: fill it in")
    if not placed.is_placed:
        raise LamellaError("expected the visit as order number or date: write 1, 2 or 2024-05-31")


def _when(text: str) -> tuple[float | None, date | None]:
    """Order number or date of a visit; neither when it is not written as one."""
    try:
        return None, date.fromisoformat(text)
    except ValueError:
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_ROWS))
        return (float(text) if is_number else None), None


def _spacing(text: str | None) -> float | None:
    try:
        return checked_spacing(text)
    except LamellaError:
        raise LamellaError(
            "expected a pixel_spacing_mm above 0: correct the cell, with a decimal point"
        ) from None


def _masks(cells: Mapping[str, str], folder: Path) -> dict[str, Path]:
    given = {bone: cells.get(f"mask_{bone}") for bone in BONES}
    found = {bone: folder / text for bone, text in given.items() if text}
    if len(found) == 1:
        raise LamellaError("expected both masks or none, got one: fill in both or leave both empty")
    return found
