"""Put the committed benchmark tables into the README, between their markers.

Run: python scripts/readme_tables.py [--check]
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
MARKED = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str, results: Path = RESULTS) -> str:
    """The text with every marked table replaced by ``results/NAME.md``."""

    def replaced(match: re.Match[str]) -> str:
        table = (results / f"{match[2]}.md").read_text(encoding="utf-8").strip()
        return f"{match[1]}{table}\n{match[3]}"

    return MARKED.sub(replaced, text)


def main() -> int:
    """Write the README, or with ``--check`` only say whether it is up to date."""
    text = README.read_text(encoding="utf-8")
    wanted = filled(text)
    if "--check" in sys.argv[1:]:
        print("README tables are up to date" if wanted == text else "README tables are stale")
        return int(wanted != text)
    README.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
