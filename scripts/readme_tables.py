"""Put the committed benchmark tables into README.md and pages of docs/, between markers.

``<!-- table: NAME -->`` takes all of ``benchmarks/results/NAME.md``, ``<!-- table: NAME 2 -->`` its
second table alone; ``<!-- end -->`` closes either.

Run: python scripts/readme_tables.py [--check]
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ("comparison", "joint_space", "few_labels", "narrowing", "spine")
PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in DOCS))
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- table: (\w+)(?: (\d+))? -->\n).*?(<!-- end -->)", re.DOTALL)
TABLE = re.compile(r"(?:^\|.*\n?)+", re.MULTILINE)


def filled(text: str, results: Path = RESULTS) -> str:
    """The text with every marked table replaced by ``results/NAME.md``."""

    def replaced(match: re.Match[str]) -> str:
        text = (results / f"{match[2]}.md").read_text(encoding="utf-8").strip()
        table = TABLE.findall(text)[int(match[3]) - 1].strip() if match[3] else text
        return f"{match[1]}{table}\n{match[4]}"

    return MARKED.sub(replaced, text)


def main() -> int:
    """Write the pages, or with ``--check`` only say whether they are up to date."""
    texts = {page: page.read_text(encoding="utf-8") for page in PAGES}
    stale = [page for page, text in texts.items() if filled(text) != text]
    if "--check" in sys.argv[1:]:
        print(f"stale tables: {', '.join(page.name for page in stale) or 'none'}")
        return int(bool(stale))
    for page in stale:
        page.write_text(filled(texts[page]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
