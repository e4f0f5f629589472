"""Crops of vertebrae, made once by several processes and kept in a folder, source by source.

Each source (a phantom, a CT) gives one file of crops; a pool that was interrupted goes on with
the sources that are missing. A file depends on its source and the edition alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.progress import track

from lamella.records import LamellaError
from lamella.training.spine_crops import SpineCrop

EDITION = 1
"""Of how crops are made: counted up whenever that changes, so that no old file is taken."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where some crops come from.

    Args:
        name: of its file, without what its digest adds.
        make: makes its crops; everything they depend on is in its ``repr``. It is sent to
            other processes.
    """

    name: str
    make: Callable[[], list[SpineCrop]]

    @property
    def file(self) -> str:
        """Name of the file of crops."""
        digest = hashlib.sha256(f"{self.make!r} {EDITION}".encode()).hexdigest()[:10]
        return f"{self.name}-{digest}.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class SpinePool:
    """Crops to draw batches from.

    Args:
        crops: in the order of their sources.
    """

    crops: tuple[SpineCrop, ...]

    def __len__(self) -> int:
        return len(self.crops)

    @cached_property
    def grades(self) -> np.ndarray:
        """Genant grade of each crop, (n,)."""
        return np.array([crop.facts.grade for crop in self.crops], int)

    @cached_property
    def real(self) -> np.ndarray:
        """Whether each crop is of a real CT, (n,)."""
        return np.array([crop.facts.real for crop in self.crops], bool)


def kept_pool(folder: Path, sources: Sequence[Source], processes: int = 1) -> SpinePool:
    """The crops of all sources, made where their files are not yet in the folder.

    Args:
        folder: of the files.
        sources: in the order the crops shall have.
        processes: that make crops side by side.

    Raises:
        LamellaError: not one crop could be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [source for source in sources if not (folder / source.file).exists()]
    work = partial(_make, folder)
    if processes > 1 and len(missing) > 1:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            made = pool.map(work, missing)
            list(track(made, "straightening spines", total=len(missing), transient=True))
    else:
        for source in track(missing, "straightening spines", transient=True):
            work(source)
    crops = tuple(crop for source in sources for crop in _read(folder / source.file))
    if not crops:
        raise LamellaError("expected vertebrae to learn from, got none")
    return SpinePool(crops=crops)


def _make(folder: Path, source: Source) -> None:
    """Write a source's crops, whole or not at all."""
    rows = [crop.row() for crop in source.make()]
    columns = {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else ())}
    part = folder / f"{source.file}.part"
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **columns)
    part.replace(folder / source.file)


def _read(path: Path) -> list[SpineCrop]:
    with np.load(path) as file:
        columns = {name: file[name] for name in file.files}
    if not columns:
        return []
    return [
        SpineCrop.of_row(**{name: column[number] for name, column in columns.items()})
        for number in range(len(columns["facts"]))
    ]
