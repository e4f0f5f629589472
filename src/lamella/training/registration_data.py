"""Pairs of visits as the registration network sees them, with what is known of their bones.

Whatever does not need new layers is drawn anew for every pair: how the whole joint lies (half of
it at either visit, so both are resampled alike), mirror image, exposure and offset of the
absorbance, ``I' = 1 - (1 - I)^g exp(-o)``, and independent noise. With ``W`` the whole joint's
motion and ``M`` the bone's own, that bone moves from the fixed to the moving visit by

    T = W_m M_m M_f^-1 W_f^-1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from lamella.methods.deep_registration.infer import (
    BONES,
    CENTRE_PX,
    PER_BONE,
    UNIT_PX,
    parameters_of,
    standardised,
)
from lamella.methods.deep_registration.objective import RegistrationBatch
from lamella.records import JointFrame, Similarity
from lamella.training.registration_visits import MAPS, VisitPool, frame_of

MOST_SHIFT_PX = 8.0
MOST_TURN_DEG = 5.0
MOST_LOG_ZOOM = 0.015
EXPOSURE = (0.7, 1.3)
MOST_OFFSET = 0.1
NOISE = (0.003, 0.012)
RADIOGRAPH = MAPS[:1]
LAYERS = MAPS[1:]


@dataclass(frozen=True, kw_only=True)
class PairDrawing:
    """How batches are drawn.

    Args:
        maps: ``RADIOGRAPH`` or ``LAYERS``: what of a visit is compared.
        size: inputs of the network in a batch; a pair is two of them with layers.
        real_fraction: of real visits, whose motion is unknown.
    """

    maps: tuple[str, ...]
    size: int
    real_fraction: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawn:
    """Pairs of visits.

    Args:
        seen: moving and fixed image, standardised, (pair, map, 2, row, col).
        regions: of both bones at the fixed visit, (pair, bone, row, col).
        motions: of both bones, meaningless where unknown, by pair.
        frames: of the joint at the fixed visit, by pair.
        known: whether the motions are known, (pair,).
    """

    seen: Tensor
    regions: Tensor
    motions: Sequence[Sequence[Similarity]]
    frames: Sequence[JointFrame]
    known: np.ndarray

    def batch(self) -> RegistrationBatch:
        """Inputs of the network: one per pair, or with layers one per pair and bone.

        An input that shows one bone's layer asks about that bone alone.
        """
        pairs, maps = self.seen.shape[:2]
        own = torch.eye(BONES) if maps == BONES else torch.ones(1, BONES)
        known = torch.from_numpy(self.known.astype(np.float32))
        asked = known[:, None, None] * own.repeat_interleave(PER_BONE, dim=1)
        truth = torch.tensor(
            np.array([[parameters_of(each) for each in pair] for pair in self.motions])
        )
        truth = truth.float().reshape(pairs, 1, -1).expand(-1, maps, -1)
        regions = self.regions[:, None] * own[None, :, :, None, None]
        return RegistrationBatch(
            seen=self.seen.flatten(0, 1).contiguous(memory_format=torch.channels_last),
            regions=regions.flatten(0, 1),
            truth=truth.flatten(0, 1),
            asked=asked.flatten(0, 1),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class PairDrawer:
    """Batches of a pool.

    Args:
        pool: visits.
        drawing: how.
        known_pairs: of the pool.
        real_pairs: of the pool.
    """

    pool: VisitPool
    drawing: PairDrawing
    known_pairs: np.ndarray
    real_pairs: np.ndarray

    @classmethod
    def of(cls, pool: VisitPool, drawing: PairDrawing) -> PairDrawer:
        """Find the pairs of a pool once."""
        known, real = pool.known_pairs, pool.real_pairs
        return cls(pool=pool, drawing=drawing, known_pairs=known, real_pairs=real)

    def __call__(self, rng: np.random.Generator) -> RegistrationBatch:
        """One batch from a source of chance."""
        count = max(1, self.drawing.size // len(self.drawing.maps))
        real = rng.random(count) < self.drawing.real_fraction * bool(len(self.real_pairs))
        chosen = self.known_pairs[rng.integers(len(self.known_pairs), size=count)]
        if real.any():
            chosen[real] = self.real_pairs[rng.integers(len(self.real_pairs), size=real.sum())]
        return drawn(self.pool, chosen, self.drawing.maps, rng).batch()


def drawn(
    pool: VisitPool, pairs: np.ndarray, maps: tuple[str, ...], rng: np.random.Generator
) -> Drawn:
    """Draw how the visits of each pair were taken.

    Args:
        pool: visits.
        pairs: fixed and moving visit, (pair, 2).
        maps: ``RADIOGRAPH`` or ``LAYERS``.
        rng: source of chance.
    """
    fixed, moving = pairs.T
    whole = whole_motions(len(pairs), rng)
    columns = [MAPS.index(name) for name in maps]
    images = [
        taken(_resampled(pool.images[visits][:, columns] / np.float32(255.0), motion), rng)
        for visits, motion in zip((moving, fixed), whole, strict=True)
    ]
    regions = _resampled(pool.regions[fixed].astype(np.float32), whole[1], nearest=True)
    bones = (
        whole[0][:, None]
        @ pool.motions[moving]
        @ np.linalg.inv(pool.motions[fixed])
        @ np.linalg.inv(whole[1])[:, None]
    )
    return Drawn(
        seen=torch.from_numpy(standardised(np.stack(images, axis=2))),
        regions=regions,
        motions=[[similarity_of(bone) for bone in pair] for pair in bones],
        frames=[
            _moved(frame_of(pool.frames[at]), w) for at, w in zip(fixed, whole[1], strict=True)
        ],
        known=pool.sources[fixed] == pool.sources[moving],
    )


def whole_motions(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """How the whole joint lies at the moving and at the fixed visit, (pair, 3, 3) each.

    Together up to 8 px, 5 degrees and a magnification of 1.5 %, each half of it; half of the
    pairs are mirrored. All about the image's centre.
    """
    shift = rng.uniform(-MOST_SHIFT_PX, MOST_SHIFT_PX, (count, 2))
    turn = np.deg2rad(rng.uniform(-MOST_TURN_DEG, MOST_TURN_DEG, count))
    log_zoom = rng.uniform(-MOST_LOG_ZOOM, MOST_LOG_ZOOM, count)
    mirror = rng.choice((-1.0, 1.0), count)
    return (
        _about_centre(0.5 * shift, 0.5 * turn, 0.5 * log_zoom, mirror),
        _about_centre(-0.5 * shift, -0.5 * turn, -0.5 * log_zoom, mirror),
    )


def taken(images: Tensor, rng: np.random.Generator) -> np.ndarray:
    """Images (pair, map, row, col) at other exposures, with noise; one exposure per visit."""
    count = len(images)
    gain, offset, noise = (
        torch.from_numpy(rng.uniform(*span, (count, 1, 1, 1)).astype(np.float32))
        for span in (EXPOSURE, (-MOST_OFFSET, MOST_OFFSET), NOISE)
    )
    chance = torch.Generator().manual_seed(int(rng.integers(2**62)))
    absorbance = -torch.log1p(-images.clamp(0.0, 1.0 - 1e-3))
    seen = -torch.expm1(-(gain * absorbance + offset).clamp_min(0.0))
    seen = seen + noise * torch.randn(images.shape, generator=chance)
    return np.asarray(seen.clamp(0.0, 1.0).numpy())


def similarity_of(matrix: np.ndarray) -> Similarity:
    """The similarity that a matrix on (row, col, 1) is, (3, 3)."""
    return Similarity(
        down_px=float(matrix[0, 2]),
        right_px=float(matrix[1, 2]),
        rotation_deg=float(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0]))),
        scale=float(np.hypot(matrix[0, 0], matrix[1, 0])),
    )


def _about_centre(
    shift_px: np.ndarray, turn_rad: np.ndarray, log_zoom: np.ndarray, mirror: np.ndarray
) -> np.ndarray:
    """``q -> z R F (q - c) + c + shift`` with F the mirror of columns, (pair, 3, 3)."""
    cosine, sine = np.exp(log_zoom) * np.cos(turn_rad), np.exp(log_zoom) * np.sin(turn_rad)
    matrix = np.zeros((len(turn_rad), 3, 3))
    matrix[:, 0, 0], matrix[:, 0, 1] = cosine, -sine * mirror
    matrix[:, 1, 0], matrix[:, 1, 1] = sine, cosine * mirror
    matrix[:, :2, 2] = shift_px + CENTRE_PX - matrix[:, :2, :2].sum(axis=2) * CENTRE_PX
    matrix[:, 2, 2] = 1.0
    return matrix


def _resampled(maps: np.ndarray, motions: np.ndarray, nearest: bool = False) -> Tensor:
    """Maps (pair, map, row, col) moved by (pair, 3, 3); beyond them their edges go on."""
    side = maps.shape[-1]
    back = torch.from_numpy(np.linalg.inv(motions).astype(np.float32))[:, :, :, None, None]
    at = torch.arange(side, dtype=torch.float32)
    row, col = at[:, None], at[None, :]
    places = back[:, :2, 0] * row + back[:, :2, 1] * col + back[:, :2, 2]
    grid = (places.flip(1).permute(0, 2, 3, 1) - CENTRE_PX) / UNIT_PX
    return grid_sample(
        torch.from_numpy(np.ascontiguousarray(maps)),
        grid,
        mode="nearest" if nearest else "bilinear",
        padding_mode="zeros" if nearest else "border",
        align_corners=False,
    )


def _moved(frame: JointFrame, motion: np.ndarray) -> JointFrame:
    row, col = motion[:2, :2] @ np.asarray(frame.origin_px) + motion[:2, 2]
    along = motion[:2, :2] @ np.asarray(frame.axis)
    along = along / np.linalg.norm(along)
    return JointFrame(origin_px=(float(row), float(col)), axis=(float(along[0]), float(along[1])))
