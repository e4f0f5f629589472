"""``lamella train`` and ``lamella evaluate``: start a recipe or a benchmark by its name.

The floors that need the extra ``train`` are loaded by name when a command runs, never imported.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from lamella.cli.console import ExitCode, UsageError, say
from lamella.cli.info import EXTRAS

DATA_VARIABLE = "LAMELLA_DATA"
SPINE_RECIPES = ("healthivert", "spine-heights")
"""Recipes whose data is LAMELLA_DATA/spine, and that make do with phantoms where it is absent."""

WITHOUT_DATA = (
    *("speed", "training-speed", "narrowing-engines", "narrowing-phantoms"),
    *("spine-phantoms", "spine-ablation"),
)
SPINE_BENCHMARKS = ("spine-real", "spine-speed")
"""Benchmarks whose data is LAMELLA_DATA/spine."""

NEEDED = {"train": EXTRAS["train"], "dev": ("cv2", "matplotlib")}
"""Extra -> modules that training and evaluation import and the core does not bring."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """What to train, beside its data.

    Args:
        steps: optimisation steps, when not the recipe's own number.
        recipe: size of the run.
        variant: of the method.
    """

    steps: Annotated[
        int | None, Parameter(help="Optimisation steps, when not the recipe's own number.")
    ] = None
    recipe: Annotated[
        str | None,
        Parameter(help="Size of the run of most recipes: tiny, cpu or full."),
    ] = None
    variant: Annotated[
        str | None,
        Parameter(
            help="Of bls-gan, lsn and healthivert: as-published, exact or an ablation, of the "
            "last one network alone with /classifier, /sagittal or /coronal behind it; of "
            "few-labels: segmented; of registration: layers or plain; of narrowing: one method."
        ),
    ] = None


NO_CHOICES = TrainOptions()


def train(
    name: str,
    *,
    data: Path | None = None,
    out: Annotated[Path | None, Parameter(name=("--out", "-o"))] = None,
    options: TrainOptions = NO_CHOICES,
) -> int:
    """Train a network by its recipe; needs the extra ``train``.

    Args:
        name: of the recipe.
        data: folder with train.json, by default LAMELLA_DATA/mcp; of healthivert a folder in
            VerSe's layout, by default LAMELLA_DATA/spine, and phantoms where there is none.
        out: folder for checkpoints and logs; by default runs/NAME.
        options: steps, size and variant.
    """
    if options.steps is not None and options.steps < 1:
        raise UsageError(f"expected --steps above 0, got {options.steps}")
    start = _function("lamella.recipes", name, "train")
    wanted = {"recipe": options.recipe, "variant": options.variant}
    chosen = _accepted(start, f"train {name}", **wanted)
    place = out or Path("runs") / (f"{name}-{options.variant}" if options.variant else name)
    start(data=_training_data(name, data), out=place, steps=options.steps, **chosen)
    return ExitCode.OK


def evaluate(
    name: str,
    *,
    data: Path | None = None,
    out: Annotated[Path, Parameter(name=("--out", "-o"))] = Path("benchmarks/results"),
    networks: Path | None = None,
) -> int:
    """Run a benchmark, write its tables and print them.

    Args:
        name: of the benchmark.
        data: manifest, by default LAMELLA_DATA/mcp/dev.json; of spines a folder, by default
            LAMELLA_DATA/spine.
        out: folder for the tables.
        networks: folder of networks trained for the comparison, further rows of its tables.
    """
    measure = _function("lamella.evaluation", name, "evaluate")
    chosen = _accepted(measure, f"evaluate {name}", networks=networks)
    if networks is not None and not networks.is_dir():
        raise UsageError(f"expected a folder of trained networks, found none at {networks}")
    usual = "spine" if name in SPINE_BENCHMARKS else "mcp/dev.json"
    manifest = data if name in WITHOUT_DATA else _data(data, usual)
    with _naming_what_lacks("evaluate"):
        say(str(measure(data=manifest, out=out, **chosen)))
    return ExitCode.OK


def offered(package: str, function: str) -> list[str]:
    """Modules of a package that define a function, found without importing them."""
    return [
        module.name
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
        if _defines(f"{package}.{module.name}", function)
    ]


def _accepted(start: Callable[..., Any], verb: str, **given: Any) -> dict[str, Any]:
    """The options that were given, all of which the function must take."""
    chosen = {option: value for option, value in given.items() if value is not None}
    for option in chosen:
        if option not in inspect.signature(start).parameters:
            raise UsageError(f"{verb} takes no --{option}")
    return chosen


def _function(package: str, name: str, function: str) -> Callable[..., Any]:
    names = offered(package, function)
    module = name.replace("-", "_")
    if module not in names:
        there = ", ".join(each.replace("_", "-") for each in names) or "none in this release"
        raise UsageError(f"cannot {function} {name!r}: there is {there}")
    with _naming_what_lacks(function):
        start: Callable[..., Any] = getattr(
            importlib.import_module(f"{package}.{module}"), function
        )
    return start


@contextmanager
def _naming_what_lacks(function: str) -> Iterator[None]:
    """Say which extra brings a module that is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        extra = next((name for name, modules in NEEDED.items() if module in modules), None)
        if extra is None:
            raise
        raise UsageError(
            f'{function} needs {module}, which is not installed: pip install "lamella[{extra}]"'
        ) from None


def _defines(module: str, function: str) -> bool:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return False
    source = Path(spec.origin).read_text(encoding="utf-8")
    return re.search(rf"^def {function}\(", source, re.MULTILINE) is not None


def _training_data(name: str, given: Path | None) -> Path | None:
    """The data of a recipe; None where one that makes do with phantoms is given none."""
    if name not in SPINE_RECIPES or given is not None:
        return _data(given, "mcp")
    root = os.environ.get(DATA_VARIABLE)
    spine = Path(root, "spine") if root else None
    return spine if spine is not None and spine.is_dir() else None


def _data(given: Path | None, inside: str) -> Path:
    """The data a command was given, else its usual place under LAMELLA_DATA."""
    root = os.environ.get(DATA_VARIABLE)
    if given is None and not root:
        raise UsageError(f"name the data with --data, or set {DATA_VARIABLE}")
    path = given if given is not None else Path(root or "") / inside
    if not path.exists():
        raise UsageError(f"found no data at {path}")
    return path
