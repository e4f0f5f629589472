"""Sample panels: what the generator makes at this point of a run, as images."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from lamella.records import LamellaError


def save_panel(panel: np.ndarray, folder: Path, step: int) -> Path:
    """Write a panel in [0, 1], (row, col) or (row, col, 3), to ``panels/step_000400.png``."""
    path = folder / "panels" / f"step_{step:06d}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(255 * _checked(panel)).astype(np.uint8)).save(path)
    return path


def show_panel(panel: np.ndarray, board: Any, step: int) -> None:
    """Add a panel to TensorBoard; ``board`` is its SummaryWriter."""
    axes = "HW" if panel.ndim == 2 else "HWC"
    board.add_image("panel", _checked(panel), step, dataformats=axes)


def _checked(panel: np.ndarray) -> np.ndarray:
    if panel.ndim not in (2, 3) or (panel.ndim == 3 and panel.shape[2] != 3):
        raise LamellaError(f"expected a panel (row, col) or (row, col, 3), got {panel.shape}")
    return np.clip(np.asarray(panel, np.float32), 0.0, 1.0)
