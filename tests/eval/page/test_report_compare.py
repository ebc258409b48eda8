"""comparison.html: models side by side."""

import re

from eval.page.report_compare import CHANCE
from eval.page.wording import SPACE


def test_the_comparison_says_what_is_more_than_chance(comparison: str, hostile: str) -> None:
    assert "<script" not in comparison
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]*"', "", comparison)
    text = re.sub(r"<[^>]+>", " ", comparison)
    assert f"below {CHANCE} in bold" in text
    assert "first again and first make the same share of errors" in text
    assert "percentage points more of genuine attempts than first" in text
    assert f"(95{SPACE}% interval +" in text
    assert "more than chance (p\u00a0" in text
    assert text.count("One note of &lt;script&gt;") == 1


def test_each_model_has_its_line_in_the_overlay(comparison: str) -> None:
    (svg,) = re.findall(r"<svg.*?</svg>", comparison, flags=re.DOTALL)
    for number in (1, 2, 3):
        assert f"var(--series-{number})" in svg
    assert "first again</text>" in svg
    assert "&lt;script&gt;" in svg
