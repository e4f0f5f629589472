r"""Tables for papers: LaTeX with the rules of ``booktabs``."""

import re
from collections.abc import Sequence

SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "<": r"$<$",
    ">": r"$>$",
    "×": r"$\times$",
}
POWER = re.compile(r"(?<![\w.])(-?)(\d(?:\.\d+)?)e([+-]?)0*(\d+)\b")
NEGATIVE = re.compile(r"(?<![\w.$\\{-])-(?=\d)")


def escaped(text: str) -> str:
    r"""Text that LaTeX prints as it is; ``1e-11`` becomes a power of ten, ``-2`` a minus.

    Example:
        >>> print(escaped("0.88 ± 0.70, 5 %"))
        0.88 $\pm$ 0.70, 5 \%
        >>> print(escaped("1e-11"))
        $10^{-11}$
    """
    pieces, last = [], 0
    for power in POWER.finditer(text):
        pieces += [_plain(text[last : power.start()]), _power(power)]
        last = power.end()
    return "".join([*pieces, _plain(text[last:])])


def latex_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], caption: str, label: str
) -> str:
    r"""A ``table`` environment; needs ``\usepackage{booktabs}`` and, wide ones, a small font.

    Args:
        columns: headings; the first names the rows and is set flush left.
        rows: cells; floats get two decimals.
        caption: above the table.
        label: for ``\ref``.
    """
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{escaped(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(columns) - 1)}}}",
        r"\toprule",
        _line(columns),
        r"\midrule",
        *[_line(row) for row in rows],
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    signed = NEGATIVE.sub("\N{MINUS SIGN}", text)
    return "".join(SPECIAL.get(letter, letter) for letter in signed).replace(
        "\N{MINUS SIGN}", "$-$"
    )


def _power(match: re.Match[str]) -> str:
    sign, factor, exponent_sign, exponent = match.groups()
    product = "" if float(factor) == 1.0 else rf"{factor} \cdot "
    return f"${sign}{product}10^{{{exponent_sign.replace('+', '')}{exponent}}}$"


def _line(cells: Sequence[object]) -> str:
    texts = [f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in cells]
    return " & ".join(escaped(text) for text in texts) + r" \\"
