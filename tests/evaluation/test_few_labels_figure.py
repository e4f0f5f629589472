"""The figure of the few-labels benchmark shows every arm's means and intervals."""

from matplotlib.figure import Figure

from lamella.evaluation import few_labels_figure
from lamella.evaluation.few_labels_figure import LOOKS, PANELS, draw


def arms(gain: float) -> dict:
    """Two arms at three parts."""
    return {
        arm: {
            percent: {
                score: {"mean": 0.5 + shift, "low": 0.4 + shift, "high": 0.7 + shift}
                for score in PANELS
            }
            for percent in ("1", "10", "100")
        }
        for arm, shift in (("without", 0.0), ("with", gain))
    }


def test_means_intervals_and_names_are_those_given():
    figure = Figure()
    axis = figure.subplots()
    few_labels_figure._panel(axis, arms(0.1), "r2")
    lines = {line.get_label(): line for line in axis.get_lines()}
    for container, shift in zip(axis.containers, (0.0, 0.1), strict=True):
        data, _, (bars,) = container
        assert [round(float(y), 6) for y in data.get_ydata()] == [0.5 + shift] * 3
        low, high = bars.get_segments()[0][:, 1]
        assert (round(low, 6), round(high, 6)) == (round(0.4 + shift, 6), round(0.7 + shift, 6))
    assert [container.get_label() for container in axis.containers] == [
        LOOKS["without"][0],
        LOOKS["with"][0],
    ]
    assert lines
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["1 %", "10 %", "100 %"]


def test_the_same_figures_are_the_same_files(tmp_path):
    for name in ("a", "b"):
        draw(arms(0.1), tmp_path / name)
    for suffix in (".png", ".pdf"):
        first, second = ((tmp_path / name).with_suffix(suffix) for name in "ab")
        assert first.read_bytes() == second.read_bytes()
