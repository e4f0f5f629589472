"""Progress is shown on a terminal, for several items."""

import sys

import pytest

from lamella.cli.progress import announced, counted, tracked


def test_nothing_is_shown_without_a_terminal(capsys):
    items = [1, 2, 3]
    assert tracked(items, "counting") is items
    with announced("thinking", 3), counted(3, "making") as advance:
        advance(2)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize(("items", "shown"), [([1, 2, 3], True), ([1], False)])
def test_a_terminal_shows_several_items(capsys, monkeypatch, items, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(tracked(items, "counting")) == items
    with announced("thinking", len(items)):
        pass
    with counted(len(items), "making") as advance:
        advance(len(items))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("counting" in captured.err) is shown
    assert ("thinking" in captured.err) is shown
    assert ("making" in captured.err) is shown
    assert ("3/3" in captured.err) is shown
