"""Results read back from disk, so that a run of any length keeps one image in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from lamella.cli.inputs import RESULT_FILE
from lamella.cli.outputs import INPUT_FILE, LAYERS_FILE, Origin
from lamella.io import read_mask
from lamella.io.write import read_tiff_float
from lamella.records import (
    BoneMasks,
    IntensityScale,
    LamellaError,
    Layers,
    Radiograph,
    SpacingSource,
)


class StoredLayers(Layers):
    """Layers that stay on disk until something of them is asked for.

    Args:
        load: reads them; its latest result is expected to be kept.
        masks: the bone masks, small enough to stay.
        method: name of the separator.
    """

    def __init__(self, load: Callable[[], Layers], masks: BoneMasks, method: str) -> None:
        object.__setattr__(self, "_load", load)
        object.__setattr__(self, "masks", masks)
        object.__setattr__(self, "method", method)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._load(), name)


class Shelf:
    """Finished results by folder; the layers of one of them at a time are in memory."""

    def __init__(self) -> None:
        self._loaded = lru_cache(maxsize=1)(load_layers)

    def layers(self, folder: Path) -> Layers:
        """Layers of a result, read when first used."""
        result = read_result(folder)
        return StoredLayers(lambda: self._loaded(folder), _masks(folder, result), result["method"])


def read_result(folder: Path) -> dict[str, Any]:
    """The content of ``result.json``.

    Raises:
        LamellaError: there is none, or it is damaged.
    """
    try:
        result = json.loads((folder / RESULT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LamellaError(f"the result {folder.name} is damaged: make it again") from None
    if not isinstance(result, dict) or "origin" not in result:
        raise LamellaError(f"the result {folder.name} is not Lamella's: make it again")
    return result


def load_layers(folder: Path) -> Layers:
    """The layers of a result, exactly as they were written.

    Raises:
        LamellaError: a file is missing or damaged.
    """
    result = read_result(folder)
    soft, *bones, share_sd = read_tiff_float(folder / LAYERS_FILE)
    names = result["files"][LAYERS_FILE]["pages"][1:-1]
    return Layers(
        soft_absorbance=soft,
        bone_absorbance=dict(zip(names, bones, strict=True)),
        masks=_masks(folder, result),
        radiograph=_radiograph(folder, result),
        share_sd=share_sd,
        method=result["method"],
    )


def is_same(folder: Path, origin: Origin) -> bool:
    """True when a complete result made from the same input, masks, spacing and weights is there."""
    try:
        result = read_result(folder)
    except LamellaError:
        return False
    complete = all((folder / name).is_file() for name in result.get("files", ()))
    return complete and result["origin"] == origin.record()


def other_results(out: Path, names: set[str]) -> list[Path]:
    """Folders of earlier results in ``out`` whose names are not among ``names``."""
    folders = sorted(path.parent for path in out.glob(f"*/{RESULT_FILE}"))
    return [folder for folder in folders if folder.name not in names and _is_readable(folder)]


def _is_readable(folder: Path) -> bool:
    try:
        load_layers(folder)
    except (LamellaError, KeyError, ValueError):
        return False
    return True


def _masks(folder: Path, result: Mapping[str, Any]) -> BoneMasks:
    names = result["files"][LAYERS_FILE]["pages"][1:-1]
    about = result["masks"]
    return BoneMasks(
        masks={name: read_mask(folder / f"mask_{name}.png") for name in names},
        confidence=about["confidence"],
        flags=tuple(about["flags"]),
        origin=about["origin"],
    )


def _radiograph(folder: Path, result: Mapping[str, Any]) -> Radiograph:
    return Radiograph(
        pixels=read_tiff_float(folder / INPUT_FILE),
        pixel_spacing_mm=result["pixel_spacing_mm"],
        spacing_source=SpacingSource(result["pixel_spacing_source"]),
        intensity_scale=IntensityScale(result["intensity_scale"]),
        grey_level=result["grey_level"],
        source=result["source"],
        warnings=tuple(result["warnings"]),
    )
