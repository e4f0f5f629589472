"""Words a page prints: bounds stay true, nothing names a person or an unknown unit."""

import numpy as np
import pytest

from lamella.records import Radiograph
from lamella.report import wording


def test_counts_are_grouped_and_pluralised() -> None:
    assert wording.counted(1, "pixel") == "1 pixel"
    assert wording.counted(21494, "pixel") == f"21{wording.NARROW_SPACE}494 pixels"


@pytest.mark.parametrize("number", [1.234e-7, 0.00991, 0.5, 9.999, 123.4])
def test_upper_bounds_are_never_below_the_number(number: float) -> None:
    assert number <= float(wording.at_most(number)) <= 1.12 * number


def test_significant_digits_without_exponents() -> None:
    assert wording.significant(0.0) == "0"
    assert wording.significant(0.000123) == "0.00012"
    assert wording.significant(1234.5) == "1234"


def test_messages_become_one_short_line() -> None:
    line = wording.one_line("first\n second " + "x" * 500, longest=40)
    assert "\n" not in line
    assert len(line) == 40


def test_commands_keep_verbs_and_options_only() -> None:
    said = wording.command(
        "lamella separate /scans/Rossi.dcm --upper 'Anna R.png' --out=rossi -o out"
    )
    assert "ossi" not in said
    assert "Anna" not in said
    assert said.startswith("lamella separate …")
    assert wording.command("lamella 'unbalanced")


def test_unknown_spacing_names_no_unit() -> None:
    ramp = np.tile(np.linspace(0.1, 0.9, 40, dtype=np.float32), (40, 1))
    assert "mm" not in wording.spacing(Radiograph(pixels=ramp)).replace("millimetres", "")
    known = wording.spacing(Radiograph(pixels=ramp, pixel_spacing_mm=0.0825))
    assert known == "0.0825 mm per pixel, given by the user"


def test_digests_are_shortened() -> None:
    assert wording.digests([("a", "0123456789abcdef")]) == [("a", "0123456789ab")]
