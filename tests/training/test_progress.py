"""The progress line of a run."""

import io
import sys

from rich.console import Console

from lamella.training.progress import RunProgress


def shown(progress: RunProgress) -> str:
    console = Console(file=io.StringIO(), width=160)
    console.print(progress.bar.get_renderable())
    return console.file.getvalue()


def test_it_says_stage_steps_time_left_and_the_latest_figures():
    progress = RunProgress(100, 20, shown=True)
    progress.advance("pre-training", 40)
    progress.tell({"generator/loss": 0.25})
    progress.tell({"validation/psnr": 31.257})
    text = shown(progress)
    for part in ("pre-training", "40/100", "left", "generator/loss 0.25", "validation/psnr 31.26"):
        assert part in text


def test_a_run_taken_up_starts_where_it_was():
    assert "20/100" in shown(RunProgress(100, 20, shown=True))


def test_it_is_silent_where_standard_error_is_no_terminal(capsys):
    assert not sys.stderr.isatty()
    with RunProgress(10, 0) as progress:
        progress.advance("main", 10)
        progress.tell({"loss": 1.0})
    assert capsys.readouterr() == ("", "")
