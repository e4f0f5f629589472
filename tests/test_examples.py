"""The examples run and say what they promise."""

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(
    ("script", "promise"),
    [
        ("01_image_formation.py", "the layers make the radiograph"),
        ("02_take_a_joint_apart.py", "recomposition differs by"),
        ("03_any_joint_space_width.py", "asked for +1.20 mm, contours +1.20"),
        ("04_narrowing_between_visits.py", "true 0.03 mm, measured +0.03"),
        ("05_vertebrae_as_layers.py", "the layers recompose the radiograph"),
    ],
)
def test_example_runs(script: str, promise: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / script), run_name="__main__")
    assert promise in capsys.readouterr().out


def test_readme_picture_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "layers.png"
    monkeypatch.setattr("sys.argv", ["readme_picture.py", str(target)])
    runpy.run_path(str(EXAMPLES / "readme_picture.py"), run_name="__main__")
    assert target.stat().st_size > 50_000
