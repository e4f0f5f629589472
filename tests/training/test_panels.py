"""Sample panels as images."""

import numpy as np
import pytest
from PIL import Image

from lamella.records import LamellaError
from lamella.training.panels import save_panel, show_panel

GREY = np.linspace(0, 1, 12).reshape(3, 4)
COLOUR = np.linspace(-0.1, 1.1, 36).reshape(3, 4, 3)


@pytest.mark.parametrize("panel", [GREY, COLOUR])
def test_panels_are_8_bit_images_of_their_size(tmp_path, panel):
    path = save_panel(panel, tmp_path, 400)
    assert path == tmp_path / "panels" / "step_000400.png"
    with Image.open(path) as image:
        found = np.asarray(image)
    assert found.shape == panel.shape
    assert np.abs(found / 255 - np.clip(panel, 0, 1)).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("shape", [(4,), (4, 4, 2), (3, 4, 4, 4)])
def test_other_shapes_are_refused(tmp_path, shape):
    with pytest.raises(LamellaError, match="expected a panel"):
        save_panel(np.zeros(shape), tmp_path, 1)


class Board:
    def add_image(self, tag, image, step, dataformats):
        self.given = (tag, image.shape, step, dataformats)


@pytest.mark.parametrize(("panel", "axes"), [(GREY, "HW"), (COLOUR, "HWC")])
def test_the_board_is_told_the_axes(panel, axes):
    board = Board()
    show_panel(panel, board, 7)
    assert board.given == ("panel", panel.shape, 7, axes)
