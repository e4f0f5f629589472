"""The budgets, tested on small made-up packages; the lean start-up; the papers' tables."""

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import budgets
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAPERS = sorted((ROOT / "docs" / "papers").glob("*.md"))
DOCUMENTED = '"""A module."""\n\n\ndef f():\n    """Do it."""\n    return 1\n'


def package(root: Path, modules: dict[str, str]) -> Path:
    for name, source in modules.items():
        path = root / "src" / "lamella" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return root


def with_mirror(root: Path, name: str) -> Path:
    mirror = budgets.mirror_of(root / "src" / "lamella" / name, root)
    mirror.parent.mkdir(parents=True, exist_ok=True)
    mirror.write_text("")
    return mirror


def test_a_small_documented_mirrored_module_passes(tmp_path, capsys):
    root = package(tmp_path, {"io/raster.py": DOCUMENTED})
    assert with_mirror(root, "io/raster.py") == root / "tests" / "io" / "test_raster.py"
    assert budgets.main([str(root)]) == 0
    assert "violation" not in capsys.readouterr().out


def test_a_module_without_its_test_file_is_named(tmp_path, capsys):
    root = package(tmp_path, {"io/raster.py": DOCUMENTED})
    assert budgets.main([str(root)]) == 1
    assert "violation: src/lamella/io/raster.py: no mirror" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py", "types.py"])
def test_these_need_no_mirror(tmp_path, name):
    assert budgets.survey(package(tmp_path, {name: DOCUMENTED})).violations == []


def test_docstrings_comments_and_blank_lines_are_no_code():
    source = 'def f(\n    a,\n):\n    """One.\n\n    Two.\n    """\n\n    # why\n    return a\n'
    lengths = budgets.function_lengths(ast.parse(source), source, "m.py")
    assert [(length.place, length.lines) for length in lengths] == [("m.py:1 f", 4)]


def test_a_string_that_spans_lines_is_code():
    source = 'def f():\n    return """a\n    b\n    """\n'
    assert budgets.function_lengths(ast.parse(source), source, "m.py")[0].lines == 4


@pytest.mark.parametrize(("lines", "broken"), [(60, False), (61, True)])
def test_longest_function(tmp_path, lines, broken):
    body = "    a = 1\n" * (lines - 1)
    source = f'{DOCUMENTED}\n\ndef g():\n    """Long."""\n{body}'
    found = budgets.survey(package(tmp_path, {"types.py": source}))
    assert found.longest.lines == lines
    assert any("code lines, at most 60" in line for line in found.violations) is broken


@pytest.mark.parametrize(("lines", "broken"), [(10, False), (11, True)])
def test_median_function(tmp_path, lines, broken):
    body = "    a = 1\n" * (lines - 1)
    source = f'"""A module."""\n\n\ndef f():\n    """Do it."""\n{body}'
    found = budgets.survey(package(tmp_path, {"types.py": source}))
    assert found.median_lines == lines
    assert any("median" in line for line in found.violations) is broken


@pytest.mark.parametrize(
    ("lines", "warned", "broken"),
    [(300, False, False), (301, True, False), (350, True, False), (351, False, True)],
)
def test_module_size(tmp_path, lines, warned, broken):
    source = '"""A module."""\n' + "\n" * (lines - 1)
    found = budgets.survey(package(tmp_path, {"types.py": source}))
    assert bool(found.warnings) is warned
    assert bool(found.violations) is broken


def test_what_needs_a_docstring():
    source = """
class Public:
    def method(self):
        def nested(): ...
    def _private(self): ...
    def __len__(self): ...
    @method.setter
    def method(self, value): ...
    @typing.override
    def other(self): ...
class _Private:
    def method(self): ...
def function(): ...
"""
    names = [name for _, name in budgets.undocumented(ast.parse(source))]
    assert names == ["module", "Public", "Public.method", "function"]


@pytest.mark.parametrize("module", ["lamella", "lamella.cli", "lamella.report", "lamella.zoo"])
def test_starting_up_loads_no_deep_learning_framework(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not in this release")
    heavy = {"torch", "lightning", "onnx", "sklearn", "tensorboard"}
    code = f"import sys, {module}; print(*{heavy!r}.intersection(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda path: path.stem)
def test_a_papers_table_names_functions_and_tests_that_exist(paper):
    text = paper.read_text(encoding="utf-8")
    functions = re.findall(r"`(lamella(?:\.\w+)+)\.(\w+)`", text)
    tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert functions
    assert tests
    unknown = [f for module, f in functions if not hasattr(importlib.import_module(module), f)]
    missing = [f"{path}::{name}" for path, name in tests if not _holds(ROOT / path, name)]
    assert (unknown, missing) == ([], [])


def _holds(path: Path, name: str) -> bool:
    return path.is_file() and f"def {name}" in path.read_text(encoding="utf-8")
