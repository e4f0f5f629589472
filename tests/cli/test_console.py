"""Words reach the streams as they are."""

from lamella.cli.console import complain, say


def test_text_is_neither_wrapped_nor_marked_up(capsys):
    text = f"[bold]{'long ' * 60}[/bold] :smile: 3.5"
    say(text)
    assert capsys.readouterr().out == f"{text}\n"


def test_complaints_are_one_line_on_the_other_stream(capsys):
    complain("first\n  second")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "lamella: first second\n")
