"""Hold the budgets of the style: short functions, short modules, docstrings, mirrored tests.

Reads source with ``ast`` and ``tokenize`` alone and imports nothing of what it reads::

    python scripts/budgets.py [ROOT]

A code line is a line that holds anything but blanks, a comment or a docstring; a function's
lines run from ``def`` to its end, signature included.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MEDIAN_FUNCTION_LINES = 10
LONGEST_FUNCTION_LINES = 60
MODULE_LINES_WARNING = 300
MODULE_LINES = 350
UNMIRRORED = {"__init__.py", "__main__.py", "types.py"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function
SILENT_TOKENS = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True, kw_only=True)
class FunctionLength:
    """One function and its code lines."""

    place: str
    lines: int


@dataclass(kw_only=True)
class Survey:
    """What was counted, what breaks a budget and what comes close."""

    modules: int = 0
    lengths: list[FunctionLength] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def median_lines(self) -> float:
        """Median code lines of all functions, 0 when there is none."""
        return statistics.median(length.lines for length in self.lengths) if self.lengths else 0.0

    @property
    def longest(self) -> FunctionLength:
        """The function with most code lines."""
        nothing = FunctionLength(place="no function", lines=0)
        return max(self.lengths, key=lambda length: length.lines, default=nothing)


def survey(root: Path) -> Survey:
    """Survey every module under ``root/src/lamella`` against all budgets."""
    found = Survey()
    package = root / "src" / "lamella"
    for path in sorted(package.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        _survey_module(found, path.relative_to(root), source)
        if path.name not in UNMIRRORED and not mirror_of(path, root).is_file():
            mirror = mirror_of(path, root).relative_to(root)
            found.violations.append(f"{path.relative_to(root)}: no mirror {mirror}")
    if found.median_lines > MEDIAN_FUNCTION_LINES:
        median = f"median function {found.median_lines:g} code lines"
        found.violations.append(f"src/lamella: {median}, at most {MEDIAN_FUNCTION_LINES}")
    return found


def mirror_of(path: Path, root: Path) -> Path:
    """The test file of a module: ``src/lamella/io/raster.py`` -> ``tests/io/test_raster.py``."""
    inside = path.relative_to(root / "src" / "lamella")
    return root / "tests" / inside.parent / f"test_{inside.name}"


def code_lines(tree: ast.AST, source: str) -> set[int]:
    """Numbers of the lines of a module that hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT_TOKENS:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, Documented) and ast.get_docstring(node, clean=False) is not None:
            text = node.body[0]
            lines.difference_update(range(text.lineno, (text.end_lineno or text.lineno) + 1))
    return lines


def function_lengths(tree: ast.Module, source: str, place: str) -> list[FunctionLength]:
    """Code lines of every function and method in a module, nested ones too."""
    code = code_lines(tree, source)
    functions = [node for node in ast.walk(tree) if isinstance(node, Function)]
    return [
        FunctionLength(
            place=f"{place}:{node.lineno} {node.name}",
            lines=len(code.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1))),
        )
        for node in functions
    ]


def undocumented(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of everything public in a module that has no docstring."""
    if ast.get_docstring(tree) is None:
        yield 1, "module"
    yield from _undocumented_members(tree, prefix="")


def _undocumented_members(
    parent: ast.Module | ast.ClassDef, prefix: str
) -> Iterator[tuple[int, str]]:
    for node in parent.body:
        if not isinstance(node, ast.ClassDef | Function) or node.name.startswith("_"):
            continue
        if ast.get_docstring(node) is None and not _adds_no_meaning(node):
            yield node.lineno, prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_members(node, prefix=f"{prefix}{node.name}.")


def _adds_no_meaning(node: ast.ClassDef | Function) -> bool:
    """Setters, deleters, overloads and marked overrides say nothing their first half does not."""
    names = {
        part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "")
        for part in node.decorator_list
    }
    return bool(names & {"setter", "deleter", "overload", "override"})


def _survey_module(found: Survey, path: Path, source: str) -> None:
    tree = ast.parse(source, filename=str(path))
    lengths = function_lengths(tree, source, str(path))
    found.modules += 1
    found.lengths += lengths
    found.violations += [
        f"{length.place}: {length.lines} code lines, at most {LONGEST_FUNCTION_LINES}"
        for length in lengths
        if length.lines > LONGEST_FUNCTION_LINES
    ]
    found.violations += [
        f"{path}:{line}: {name} has no docstring" for line, name in undocumented(tree)
    ]
    _survey_size(found, path, len(source.splitlines()))


def _survey_size(found: Survey, path: Path, lines: int) -> None:
    if lines > MODULE_LINES:
        found.violations.append(f"{path}: {lines} lines, at most {MODULE_LINES}")
    elif lines > MODULE_LINES_WARNING:
        found.warnings.append(f"{path}: {lines} lines, aim at {MODULE_LINES_WARNING}")


def main(arguments: list[str]) -> int:
    """Print the table and one line per violation; 1 when a budget is broken."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[1]
    found = survey(root)
    longest = found.longest
    print(f"{'modules':<16} {found.modules:>5}")
    print(f"{'functions':<16} {len(found.lengths):>5}")
    print(f"{'median lines':<16} {found.median_lines:>5g}  (at most {MEDIAN_FUNCTION_LINES})")
    print(f"{'longest':<16} {longest.lines:>5}  (at most {LONGEST_FUNCTION_LINES}) {longest.place}")
    for line in found.warnings:
        print(f"warning: {line}")
    for line in found.violations:
        print(f"violation: {line}")
    return 1 if found.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
