"""The colours of the page: all that is read has a contrast of 4.5 to 1, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dlm

STYLE = (Path(dlm.__file__).parent / "report" / "templates" / "report.css").read_text("utf-8")

LIGHT, DARK = (
    dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{3,6});", block))
    for block in (STYLE.split("@media")[0], STYLE.split("dark) {")[1].split("\n}")[0])
)
READ = [
    *((text, ground) for text in ("ink", "soft", "accent") for ground in ("paper", "card")),
    *((state, f"{state}-bg") for state in ("learned", "partly", "not", "none")),
    *(("soft", f"{state}-bg") for state in ("learned", "partly", "not")),
    ("not", "card"),
    *((f"on-s{n}", f"s{n}") for n in range(6)),
]
DRAWN = [(f"{state}-fill", "card") for state in ("learned", "not")] + [("accent", "card")]


@pytest.mark.parametrize("colours", [LIGHT, {**LIGHT, **DARK}], ids=["light", "dark"])
def test_text_can_be_read(colours: dict[str, str]) -> None:
    for text, ground in READ:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for shape, ground in DRAWN:
        assert contrast(colours[shape], colours[ground]) >= 3, (shape, ground)


def contrast(one: str, other: str) -> float:
    """The ratio that WCAG 2.2 defines."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
