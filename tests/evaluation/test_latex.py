"""LaTeX tables: nothing a heading says can break them."""

import pytest

from lamella.evaluation.latex import escaped, latex_table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("50 % & more_of #1", r"50 \% \& more\_of \#1"),
        ("a\\b{c}$", r"a\textbackslash{}b\{c\}\$"),
        ("0.88 ± 0.70", r"0.88 $\pm$ 0.70"),
        ("> 120", r"$>$ 120"),
        ("4e-12", r"$4 \cdot 10^{-12}$"),
        ("-2e-05", r"$-2 \cdot 10^{-5}$"),
        ("MSE (1e-4)", r"MSE ($10^{-4}$)"),
        ("1e+3", r"$10^{3}$"),
        ("-0.31", "$-$0.31"),
        ("Navier-Stokes", "Navier-Stokes"),
        ("pixel-2", "pixel-2"),
    ],
)
def test_text_is_printed_as_it_is(text, expected):
    assert escaped(text) == expected


def test_a_table_by_line():
    table = latex_table(["method", "MSE"], [["a_b", 1.234], ["c", "–"]], "What & why", "tab:x")
    assert table.splitlines() == [
        r"\begin{table}",
        r"\centering\small",
        r"\caption{What \& why}",
        r"\label{tab:x}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"method & MSE \\",
        r"\midrule",
        r"a\_b & 1.23 \\",
        r"c & – \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
