"""Straight spines built by hand: bodies of known shape on a straight or a bent axis."""

from dataclasses import dataclass

import numpy as np

from lamella.methods.healthivert.channels import MIDDLE_ROW, SHAPE
from lamella.prepare.spine.curve import STEP_MM, SpineCurve
from lamella.prepare.spine.straight import StraightSpine
from lamella.records.spine import VERSE_IDS

DISC_MM, DEPTH_MM, WIDTH_MM = 6.0, 32.0, 40.0
HU = {"muscle": 50.0, "disc": 90.0, "body": 200.0, "arch": 400.0}


@dataclass(frozen=True, kw_only=True)
class Block:
    """A body: height at its front and back, mm."""

    front_mm: float = 24.0
    back_mm: float = 24.0

    @property
    def tallest_mm(self) -> float:
        return max(self.front_mm, self.back_mm)


def curve(radius_mm: float | None = None, length_mm: float = 320.0) -> SpineCurve:
    """An axis straight down, or bent forward (kyphosis) with a radius; front at -back."""
    arc = np.arange(0.0, length_mm, STEP_MM)
    angle = np.zeros_like(arc) if radius_mm is None else arc / radius_mm
    downs = np.stack([np.zeros_like(arc), -np.sin(angle), -np.cos(angle)], axis=1)
    backs = np.stack([np.zeros_like(arc), -np.cos(angle), np.sin(angle)], axis=1)
    if radius_mm is None:
        places = np.stack([np.zeros_like(arc), np.zeros_like(arc), -arc], axis=1)
    else:
        places = radius_mm * np.stack(
            [np.zeros_like(arc), np.cos(angle) - 1.0, -np.sin(angle)], axis=1
        )
    return SpineCurve(start_mm=0.0, places_mm=places, downs=downs, backs=backs)


def spine(
    blocks: dict[str, Block], radius_mm: float | None = None, spacing_mm: float = 1.0
) -> StraightSpine:
    """Blocks from the top down with discs between, an arch and a canal behind each."""
    total = 160.0 + sum(block.tallest_mm + DISC_MM for block in blocks.values())
    shape = tuple(int(size / spacing_mm) + 1 for size in (96.0, total, 96.0))
    left, down, back = np.meshgrid(
        *(
            start + spacing_mm * np.arange(count)
            for start, count in zip((-48.0, 0.0, -40.0), shape, strict=True)
        ),
        indexing="ij",
        sparse=True,
    )
    hu = np.full(shape, HU["muscle"], np.float32)
    ids, bodies = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    inside = (left / (WIDTH_MM / 2)) ** 4 + (back / (DEPTH_MM / 2)) ** 4 < 1.0
    column = (down > 60.0) & (down < total - 60.0)
    hu[column & inside] = HU["disc"]
    top = 80.0
    for level, block in blocks.items():
        half = (
            block.front_mm
            + (block.back_mm - block.front_mm) * (back / DEPTH_MM + 0.5).clip(0.0, 1.0)
        ) / 2
        middle = top + block.tallest_mm / 2
        body = (np.abs(down - middle) < half) & inside
        arch = (np.abs(down - middle) < block.tallest_mm / 2) & (back > 32) & (back < 44)
        arch = arch & (np.abs(left) < 15)
        hu[body], hu[arch] = HU["body"], HU["arch"]
        ids[body | arch], bodies[body] = VERSE_IDS[level], VERSE_IDS[level]
        top += block.tallest_mm + DISC_MM
    return StraightSpine(
        hu=hu,
        ids=ids,
        bodies=bodies,
        spacing_mm=spacing_mm,
        origin_mm=(-48.0, 0.0, -40.0),
        curve=curve(radius_mm),
    )


def drawn_body(front_mm: float, back_mm: float, *, dome_mm: float = 0.0) -> np.ndarray:
    """Probability of a body in the box (64, 160, 96), surfaces exact between rows.

    Both endplates run straight from front to back and sink by ``dome_mm`` in the middle.
    """
    left, rows, back = np.meshgrid(*(np.arange(n, dtype=float) for n in SHAPE), indexing="ij")
    across, along = (left - 31.0) / (WIDTH_MM / 2), (back - 47.0) / (DEPTH_MM / 2)
    bowl = dome_mm * (1.0 - across**2).clip(0.0) * (1.0 - along**2).clip(0.0)
    half = (front_mm + (back_mm - front_mm) * (along + 1.0) / 2.0) / 2.0 - bowl
    inside = ((half - np.abs(rows - MIDDLE_ROW)) / 3.0 + 0.5).clip(0.0, 1.0)
    return (inside * (across**4 + along**4 < 1.0)).astype(np.float32)
