"""Recipe: joint space width learned from few annotated joints, with and without synthetic ones.

``lamella train few-labels -o DIR``. Every run has the same two stages, steps, batches and rates
and trains the same small network (:mod:`lamella.training.width_network`). They differ in what
the first stage sees:

* ``without``: the annotated images, as in the second stage;
* ``with``: synthetic joints made of **the annotated images alone** and their drawn masks;
* ``segmented`` (``--variant segmented``): synthetic joints made of all images of ``train.json``
  with masks that Lamella's segmentation finds. That network learned from drawn masks of
  ``train.json``, so this arm has seen more annotation than its part.

Also in ``with``, layers come from the shipped separation network, which learned from
``train.json``: only where bones overlap, and never from ``dev.json``.

One file per run; what is there is skipped, so an interrupted grid goes on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from lamella.io.datasets import joint_rows
from lamella.records import LamellaError
from lamella.training.publish import keep_recipe, plain
from lamella.training.width_images import (
    SyntheticPool,
    WidthImages,
    annotated,
    drawn,
    real_images,
    segmented,
)
from lamella.training.width_network import WIDTHS, Pace, Stage, fit_stage, new_network

WITHOUT = "without"
WITH = "with"
SEGMENTED = "segmented"
VARIANTS: dict[str, tuple[str, ...]] = {"drawn": (WITHOUT, WITH), SEGMENTED: (SEGMENTED,)}
ALL_PERCENT = 100.0


@dataclass(frozen=True, kw_only=True)
class FewLabelsRecipe:
    """Complete configuration of the grid.

    Args:
        data: folder with ``train.json``.
        percents: parts of the joints that are annotated.
        seeds: each draws other joints, other weights and other batches.
        synthetic_images: of the first stage.
        steps: of each stage.
        learning_rates: of each stage; LSN, too, takes a tenth for the second.
        widths: channels of the network.
        pace: batch and regularisation.
    """

    data: Path
    percents: tuple[float, ...] = (1.0, 3.0, 5.0, 10.0, 20.0, ALL_PERCENT)
    seeds: tuple[int, ...] = (0, 1, 2)
    synthetic_images: int = 1500
    steps: tuple[int, int] = (700, 300)
    learning_rates: tuple[float, float] = (2e-3, 2e-4)
    widths: tuple[int, ...] = WIDTHS
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One cell of the grid.

    Args:
        arm: what the first stage sees.
        percent: of the joints that are annotated.
        seed: of joints, weights and batches.
    """

    arm: str
    percent: float
    seed: int

    @property
    def file(self) -> str:
        """Name of its result."""
        return f"{self.arm}-{self.percent:g}-{self.seed}.pt"


def tiny(data: Path) -> FewLabelsRecipe:
    """A few steps of a very small network: shows that everything works, learns nothing."""
    return FewLabelsRecipe(
        data=data,
        percents=(50.0, ALL_PERCENT),
        seeds=(0, 1),
        synthetic_images=6,
        steps=(2, 2),
        widths=(4, 4, 8, 8),
        pace=Pace(batch=2, warmup_steps=1),
    )


def cpu(data: Path) -> FewLabelsRecipe:
    """One CPU core, about an hour."""
    return FewLabelsRecipe(data=data)


RECIPES: dict[str, Callable[[Path], FewLabelsRecipe]] = {"tiny": tiny, "cpu": cpu}


def train(
    data: Path,
    out: Path,
    steps: int | None = None,
    *,
    recipe: str = "cpu",
    variant: str = "drawn",
) -> Path:
    """Train what is not there yet of the grid; returns the folder of its results.

    Args:
        data: folder with ``train.json``.
        out: folder of the grid: ``runs/``, ``pool/``, labels, ``recipe.json``.
        steps: of each stage, instead of the recipe's.
        recipe: ``tiny`` or ``cpu``.
        variant: ``drawn``: with and without synthetic joints; ``segmented``: the third arm.

    Raises:
        LamellaError: no such recipe or variant, or the folder holds another grid.
    """
    for name, known in ((recipe, RECIPES), (variant, VARIANTS)):
        if name not in known:
            raise LamellaError(f"expected one of {', '.join(known)}, got {name!r}: choose one")
    chosen = RECIPES[recipe](data)
    if steps is not None:
        chosen = replace(chosen, steps=(steps, steps))
    keep_recipe(plain(chosen), out)
    workshop = Workshop(recipe=chosen, out=out)
    for run in grid(chosen, VARIANTS[variant]):
        if not (out / "runs" / run.file).exists():
            workshop.finish(run)
    return out / "runs"


def grid(recipe: FewLabelsRecipe, arms: Sequence[str]) -> Iterator[Run]:
    """All runs, seed by seed, so that an unfinished grid still compares whole rows."""
    for seed in recipe.seeds:
        for percent in recipe.percents:
            for arm in arms:
                yield Run(arm=arm, percent=percent, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """The material of a grid, and its runs.

    Args:
        recipe: what and how.
        out: folder of the grid.
    """

    recipe: FewLabelsRecipe
    out: Path

    @cached_property
    def labelled(self) -> WidthImages:
        """All annotated images there could be."""
        return real_images(self.recipe.data / "train.json", self.out / "labels.npz")

    @cached_property
    def pools(self) -> dict[str, SyntheticPool]:
        """Arm -> its synthetic joints."""
        rows = joint_rows(self.recipe.data / "train.json")
        return {
            WITH: SyntheticPool(folder=self.out / "pool", rows=rows, masks_of=drawn),
            SEGMENTED: SyntheticPool(
                folder=self.out / "pool-segmented", rows=rows, masks_of=segmented
            ),
        }

    def finish(self, run: Run) -> None:
        """Train one run and write its result: both stages' weights and what they were made of."""
        few = annotated(self.labelled, run.percent, run.seed)
        first = self.first_images(run.arm, few)
        started = time.process_time()
        network = self.network(run.seed)
        states = [
            _state(fit_stage(network, stage, self.recipe.pace, (run.seed, number)))
            for number, stage in enumerate(self.stages(first, few))
        ]
        about = {
            "joints": len(set(few.joints.tolist())),
            "images": len(few),
            "first_images": len(first),
            "label_sd_mm": float(few.width_mm.std()),
            "processor_s": time.process_time() - started,
        }
        _write(self.out / "runs" / run.file, asdict(run) | {"about": about, "states": states})

    def network(self, seed: int) -> nn.Module:
        """An untrained network."""
        return new_network(seed, self.recipe.widths)

    def first_images(self, arm: str, few: WidthImages) -> WidthImages:
        """What the first stage of an arm sees."""
        if arm == WITHOUT:
            return few
        sources = few if arm == WITH else self.labelled
        return self.pools[arm].of(sources.numbers.tolist(), self.recipe.synthetic_images)

    def stages(self, first: WidthImages, few: WidthImages) -> Iterable[Stage]:
        """First stage and second stage."""
        sets = zip((first, few), self.recipe.steps, self.recipe.learning_rates, strict=True)
        for images, steps, rate in sets:
            yield Stage(images=images, steps=steps, learning_rate=rate)


def _state(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def _write(path: Path, entries: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    torch.save(entries, part)
    part.replace(path)
