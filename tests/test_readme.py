"""The README says what was measured, and its example runs."""

import re
from pathlib import Path

import numpy as np
import pytest
import readme_tables

from lamella.io.write import write_png16
from lamella.physics.phantoms import JointPhantomSpec, joint_phantom

PAGES = {page.name: page.read_text(encoding="utf-8") for page in readme_tables.PAGES}
README = PAGES["README.md"]


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_the_committed_results(page: str) -> None:
    assert len(readme_tables.MARKED.findall(PAGES[page])) >= 1
    assert readme_tables.filled(PAGES[page]) == PAGES[page]


@pytest.mark.parametrize("page", PAGES)
def test_a_changed_result_would_be_noticed(page: str, tmp_path: Path) -> None:
    for name in re.findall(r"<!-- table: (\w+)", PAGES[page]):
        (tmp_path / f"{name}.md").write_text("| other |\n\n" * 20, encoding="utf-8")
    assert readme_tables.filled(PAGES[page], tmp_path) != PAGES[page]


def test_one_table_of_several_can_be_taken(tmp_path: Path) -> None:
    (tmp_path / "two.md").write_text("**a**\n\n| 1 |\n| - |\n\nb\n\n| 2 |\n| - |\n", "utf-8")
    page = "<!-- table: two 2 -->\nold\n<!-- end -->"
    assert (
        readme_tables.filled(page, tmp_path) == "<!-- table: two 2 -->\n| 2 |\n| - |\n<!-- end -->"
    )


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_png16("joint.png", joint_phantom(JointPhantomSpec(jsw_mm=-0.5)).intensity)
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(code) == 4
    names: dict[str, object] = {}
    exec(compile("".join(code), "README.md", "exec"), names)
    assert np.asarray(names["upper"]).shape == (256, 256)
    assert names["joint"].jsw_mm == pytest.approx(1.2, abs=1e-3)
    widened_mm = 1.2 - names["space"].jsw_mm
    assert names["change"].jsn_mm == pytest.approx(-widened_mm, abs=0.1)
    assert [one.grade for one in names["spine"].vertebrae] == [0, 0, 0]


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (readme_tables.ROOT / target).exists(), target


def test_commands_exist() -> None:
    makefile = (readme_tables.ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile
