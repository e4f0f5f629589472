"""Motions in the image plane: rigid, and rigid with a magnification."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from lamella.records.images import LamellaError
from lamella.types import Points


@dataclass(frozen=True, kw_only=True)
class RigidMotion:
    """A motion in the image plane.

    Args:
        down_px: translation along rows, positive downwards.
        right_px: translation along columns, positive to the right.
        rotation_deg: counter-clockwise as seen on the screen, about ``centre_px``.
        centre_px: (row, col) of the centre of rotation; the image centre when None.
    """

    down_px: float = 0.0
    right_px: float = 0.0
    rotation_deg: float = 0.0
    centre_px: tuple[float, float] | None = None

    @property
    def is_still(self) -> bool:
        """True when nothing moves."""
        return self.down_px == 0 and self.right_px == 0 and self.rotation_deg == 0

    def of_points(self, points_px: Points) -> Points:
        """Where points (n, 2) of (row, col) go.

        Raises:
            LamellaError: it turns about no given centre.
        """
        if self.rotation_deg and self.centre_px is None:
            raise LamellaError("expected a centre of rotation to move points: give centre_px")
        centre = np.asarray(self.centre_px or (0.0, 0.0))
        turned = (np.asarray(points_px) - centre) @ self._turn().T
        return np.asarray(turned + centre + np.array([self.down_px, self.right_px]))

    def of_direction(self, direction: tuple[float, float]) -> tuple[float, float]:
        """Where a unit vector (row, col) points afterwards."""
        row, col = self._turn() @ np.asarray(direction)
        return (float(row), float(col))

    def inverse_affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Matrix (2, 2) and offset (2,) from places after the motion to places before it.

        Raises:
            LamellaError: it turns about no given centre.
        """
        matrix = self._turn().T
        return matrix, -matrix @ self.of_points(np.zeros((1, 2)))[0]

    def _turn(self) -> np.ndarray:
        turn_rad = np.deg2rad(self.rotation_deg)
        cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
        return np.array([[cosine, -sine], [sine, cosine]])

    @property
    def is_by_whole_pixels(self) -> bool:
        """True when pixels keep their values and only change places."""
        whole = float(self.down_px).is_integer() and float(self.right_px).is_integer()
        return whole and self.rotation_deg == 0


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """A rotation and a magnification about a centre, then a translation.

    ``T x = s R (x - c) + c + t`` with ``x = (row, col)``.

    Args:
        down_px: ``t`` along rows.
        right_px: ``t`` along columns.
        rotation_deg: of ``R``, counter-clockwise as seen on the screen.
        scale: ``s``.
        centre_px: ``c``, (row, col).
    """

    down_px: float = 0.0
    right_px: float = 0.0
    rotation_deg: float = 0.0
    scale: float = 1.0
    centre_px: tuple[float, float] = (0.0, 0.0)

    @property
    def matrix(self) -> np.ndarray:
        """``s R``, (2, 2)."""
        turn_rad = np.deg2rad(self.rotation_deg)
        cosine, sine = self.scale * np.cos(turn_rad), self.scale * np.sin(turn_rad)
        return np.array([[cosine, -sine], [sine, cosine]])

    def of_points(self, points_px: Points) -> Points:
        """Where points (n, 2) of (row, col) go."""
        centre = np.asarray(self.centre_px)
        shift = np.array([self.down_px, self.right_px])
        return np.asarray((np.asarray(points_px) - centre) @ self.matrix.T + centre + shift)

    def of_direction(self, direction: tuple[float, float]) -> tuple[float, float]:
        """Where a unit vector (row, col) points afterwards."""
        row, col = self.matrix @ np.asarray(direction) / self.scale
        return (float(row), float(col))

    def inverse(self) -> Similarity:
        """The way back, about the place where the centre went."""
        row, col = self.of_points(np.array([self.centre_px]))[0]
        return Similarity(
            down_px=-self.down_px,
            right_px=-self.right_px,
            rotation_deg=-self.rotation_deg,
            scale=1.0 / self.scale,
            centre_px=(float(row), float(col)),
        )

    def about(self, centre_px: tuple[float, float]) -> Similarity:
        """The same motion, written about another centre."""
        row, col = self.of_points(np.array([centre_px]))[0]
        return replace(
            self,
            down_px=float(row) - centre_px[0],
            right_px=float(col) - centre_px[1],
            centre_px=centre_px,
        )
