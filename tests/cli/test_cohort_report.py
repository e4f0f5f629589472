"""The report of a cohort shows a few joints and a few samples of each."""

import pytest

from lamella.cli import cohort_report

SPACING = ("--pixel-spacing", "0.164")


@pytest.fixture
def pages(monkeypatch):
    """Cases each page was made of, beside the page itself."""
    seen, real = [], cohort_report.synthesis_page

    def page(cases, record, title):
        seen.append(cases)
        return real(cases, record, title)

    monkeypatch.setattr(cohort_report, "synthesis_page", page)
    return seen


def test_few_joints_and_samples_are_shown(lamella, joint, tmp_path, pages, monkeypatch):
    monkeypatch.setattr(cohort_report, "SHOWN_JOINTS", 2)
    monkeypatch.setattr(cohort_report, "SHOWN_SAMPLES", 6)
    for place, name in enumerate("abc"):
        joint(f"in/{name}.png", dim=1.0 - 0.01 * place)
    (tmp_path / "in" / "bad.png").write_text("not an image")
    words = ("--jsw", "0:1:0.25", *SPACING, "-o", tmp_path / "out")
    assert lamella("synthesize", tmp_path / "in", *words).code == 1
    (cases,) = pages
    assert [case.name for case in cases] == ["a", "b", "bad"]
    for case in cases[:2]:
        labels = [sample.label for sample in case.samples]
        assert labels == ["0.00 mm", "0.50 mm", "1.00 mm"]
        assert case.joint.layers.radiograph.shape == (128, 128)
    assert cases[2].joint is None
    assert cases[2].problem.startswith("expected a PNG")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("0.50 mm") >= 2
