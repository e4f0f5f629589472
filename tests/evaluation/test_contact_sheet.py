"""A contact sheet has a cell for every picture."""

import matplotlib.image

from lamella.evaluation.contact_sheet import CELL_INCH, DPI, contact_sheet, phantom_pairs


def test_phantoms_stand_beside_themselves(tmp_path):
    pairs = phantom_pairs(2)
    assert [pair.joint for pair in pairs] == ["phantom 1", "phantom 2"]
    picture = matplotlib.image.imread(contact_sheet(pairs * 2, tmp_path / "new" / "sheet.png"))
    assert picture.shape[:2] == (round(2 * CELL_INCH * DPI), round(6 * CELL_INCH * DPI))
    last = picture[round(CELL_INCH * DPI) :, round(2 * CELL_INCH * DPI) :, :3]
    assert last.min() == 1.0
    assert picture[: round(CELL_INCH * DPI), :, :3].std() > 0.1
