"""Which visits of which joints a command line or a table means, in order, named safely.

Dates serve to order visits and to count days since the baseline; no date goes any further. A
joint's name that holds a part of its patient's identifiers, as the DICOM headers of its images
tell them, is replaced like a file's. Headers that state different patients are a flag; whom they
state goes no further either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path

from pydicom.dataset import Dataset

from lamella.cli.inputs import Job, find_jobs, safe_name
from lamella.cli.narrowing import NarrowingOptions
from lamella.cli.progress import tracked
from lamella.cli.separate import SeparateOptions
from lamella.io.boundary import quiet_libraries
from lamella.io.dicom_decode import is_dicom, open_dicom
from lamella.io.dicom_header import acquisition_date, code, safe_source
from lamella.io.visits_table import VisitRow, read_visits
from lamella.io.write import sha256_of
from lamella.records import LamellaError

BACKWARDS = "the DICOM dates run against the order given"
OTHER_PERSON = "the DICOM headers state different patients: is it the same person?"
PERSON = ("PatientID", "PatientBirthDate")


@dataclass(frozen=True, kw_only=True)
class PlannedVisit:
    """One visit of a joint.

    Args:
        job: its radiograph and masks.
        number: 1 for the baseline.
        spacing_mm: given for it, or None.
        days: since the baseline, or None when a date is unknown.
    """

    job: Job
    number: int
    spacing_mm: float | None = None
    days: int | None = None


@dataclass(frozen=True, kw_only=True)
class PlannedJoint:
    """A joint with its visits in order.

    Args:
        name: safe to show.
        key: the same as a file name, unique in its run.
        visits: the baseline first.
        problem: why its visits cannot be compared at all, or None.
        flags: what a reader should look at.
    """

    name: str
    key: str
    visits: tuple[PlannedVisit, ...] = ()
    problem: str | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A visit before it has its place."""

    job: Job
    spacing_mm: float | None
    day: date | None
    header: Dataset | None = field(default=None, repr=False)


def named_joint(paths: Sequence[Path], options: NarrowingOptions) -> PlannedJoint:
    """The joint whose visits were named one by one.

    Raises:
        LamellaError: a folder, a file given twice, or no dates to order by.
    """
    if any(path.is_dir() for path in paths):
        raise LamellaError("expected files, got a folder: name each visit, or give --table")
    pairs = list(zip(options.upper, options.lower, strict=True))
    taken: set[str] = set()
    found = []
    for place, path in enumerate(paths):
        job = _job(path, options, pairs[place] if pairs else None, taken)
        header = _header(path)
        day = None if header is None else acquisition_date(header)
        found.append(_Found(job=job, spacing_mm=None, day=day, header=header))
    _refuse_same([each.job for each in found])
    if options.by_date:
        found = _by_date(found)
    found = _unnamed(found)
    first = found[0].job.name
    return PlannedJoint(
        name=first,
        key=first,
        visits=_numbered(found, options.pixel_spacing_mm),
        flags=_flags(found),
    )


def tabled_joints(table: Path, options: NarrowingOptions) -> list[PlannedJoint]:
    """The joints of a table in the order of their first rows.

    Raises:
        LamellaError: the table as a whole cannot be used.
    """
    rows: dict[str, list[VisitRow]] = {}
    for row in read_visits(table):
        rows.setdefault(row.joint or f"line {row.line}", []).append(row)
    keys: set[str] = set()
    items = list(rows.items())
    return [
        _tabled(name, of_joint, options, keys)
        for name, of_joint in tracked(items, "looking at files")
    ]


def _tabled(
    name: str, rows: Sequence[VisitRow], options: NarrowingOptions, keys: set[str]
) -> PlannedJoint:
    headers = {row.line: _header(row.image) for row in rows}
    name = _safe_joint(name, rows, headers)
    problem = _disorder(rows)
    if problem is not None:
        return PlannedJoint(name=name, key=safe_name(name, keys), problem=problem)
    taken: set[str] = set()
    found = []
    for row in sorted(rows, key=lambda row: (row.order or 0.0, row.day or date.min)):
        job, header = _row_job(row, options, taken), headers[row.line]
        day = row.day or (None if header is None else acquisition_date(header))
        found.append(_Found(job=job, spacing_mm=row.pixel_spacing_mm, day=day, header=header))
    return PlannedJoint(
        name=name,
        key=safe_name(name, keys),
        visits=_numbered(_unnamed(found), options.pixel_spacing_mm),
        flags=_flags(found),
    )


def _disorder(rows: Sequence[VisitRow]) -> str | None:
    """Why the visits of a joint cannot be put in order, or None."""
    lost = next((row for row in rows if not row.joint or not row.is_placed), None)
    if lost is not None:
        label = "" if lost.joint else f"line {lost.line}: "
        return (lost.problem or "it cannot be placed").removeprefix(label)
    if len(rows) < 2:
        return f"line {rows[0].line}: expected two or more visits of the joint, got one: add a row"
    if len({row.order is None for row in rows}) > 1:
        return "expected all visits as numbers or all as dates, got both: write one kind"
    if len({(row.order, row.day) for row in rows}) < len(rows):
        return "expected each visit once, got one twice: number them 1, 2, 3"
    return None


def _row_job(row: VisitRow, options: NarrowingOptions, taken: set[str]) -> Job:
    """A row's radiograph; one that cannot be used keeps its place and says why."""
    masks = (row.masks["upper"], row.masks["lower"]) if row.masks else None
    try:
        if row.problem is not None or row.image is None:
            raise LamellaError(row.problem or "no image is named")
        return _job(row.image, options, masks, taken)
    except LamellaError as error:
        label = f"line-{row.line}"
        return Job(name=safe_name(label, taken), path=Path(), source=label, problem=str(error))


def _job(
    path: Path,
    options: NarrowingOptions,
    masks: tuple[Path, Path] | None,
    taken: set[str],
) -> Job:
    """A visit's radiograph with its masks.

    Raises:
        LamellaError: a folder, or a file named like a mask.
    """
    if path.is_dir():
        raise LamellaError("expected a file, got a folder: name one image in it")
    asked = partial(SeparateOptions, out=options.out, pixel_spacing_mm=options.pixel_spacing_mm)
    alone = asked() if masks is None else asked(upper=masks[0], lower=masks[1])
    job = find_jobs([path], alone)[0]
    return replace(job, name=safe_name(job.source, taken))


def _unnamed(found: Sequence[_Found]) -> list[_Found]:
    """The visits, none named after the person whom the header of another one states."""
    headers = [each.header for each in found if each.header is not None]
    return [
        replace(each, job=replace(each.job, name=f"visit-{number}"))
        if any(safe_source(header, each.job.name, "") != each.job.name for header in headers)
        else each
        for number, each in enumerate(found, 1)
    ]


def _numbered(found: Sequence[_Found], spacing_mm: float | None) -> tuple[PlannedVisit, ...]:
    first = found[0].day if found else None
    return tuple(
        PlannedVisit(
            job=each.job,
            number=number,
            spacing_mm=spacing_mm if each.spacing_mm is None else each.spacing_mm,
            days=None if first is None or each.day is None else (each.day - first).days,
        )
        for number, each in enumerate(found, 1)
    )


def _by_date(found: Sequence[_Found]) -> list[_Found]:
    undated = [place for place, each in enumerate(found, 1) if each.day is None]
    if undated:
        raise LamellaError(
            f"expected a DICOM date in every file, got none in file {undated[0]}: leave out "
            "--by-date and name the visits in order"
        )
    return sorted(found, key=lambda each: each.day or date.min)


def _flags(found: Sequence[_Found]) -> tuple[str, ...]:
    flags = () if _is_forwards(found) else (BACKWARDS,)
    return flags if _is_one_person(found) else (*flags, OTHER_PERSON)


def _is_one_person(found: Sequence[_Found]) -> bool:
    """False where two headers fill in one of ``PERSON`` differently."""
    headers = [each.header for each in found if each.header is not None]
    stated = [{code(header, keyword) for header in headers} - {""} for keyword in PERSON]
    return all(len(texts) <= 1 for texts in stated)


def _is_forwards(found: Sequence[_Found]) -> bool:
    days = [each.day for each in found if each.day is not None]
    return days == sorted(days)


def _refuse_same(jobs: Sequence[Job]) -> None:
    known = [job.sha256 for job in jobs if job.sha256 is not None]
    if len(set(known)) < len(known):
        raise LamellaError("expected different images, got the same one twice: name each visit")


def _safe_joint(name: str, rows: Sequence[VisitRow], headers: Mapping[int, Dataset | None]) -> str:
    """The joint's name, or one made of an image's digest where a header shows whose it is."""
    for row in rows:
        header = headers[row.line]
        if row.image is not None and header is not None and safe_source(header, name, "") != name:
            return f"joint-{sha256_of(row.image)[:8]}"
    return name


def _header(path: Path | None) -> Dataset | None:
    """The file's DICOM header, or None when it has none that can be read."""
    if path is None:
        return None
    try:
        data = path.read_bytes()
        if not is_dicom(data):
            return None
        with quiet_libraries():
            return open_dicom(data)
    except (OSError, LamellaError):
        return None
