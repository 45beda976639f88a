from __future__ import annotations

import pytest

from rillnet.model.lettering import fitted, text_width


def test_wider_letters_larger_and_bolder_fonts_take_more() -> None:
    assert text_width("ii", 10) < text_width("aa", 10) < text_width("mm", 10)
    assert text_width("conv", 12) > text_width("conv", 10)
    assert text_width("conv", 12, bold=True) > text_width("conv", 12)
    assert text_width("", 12) == 0


@pytest.mark.parametrize("font", ["DejaVuSans.ttf", "DejaVuSans-Bold.ttf"])
@pytest.mark.parametrize(
    "text",
    [
        "conv1",
        "MaxPool2d \u2192 64 \u00d7 28 \u00d7 28",
        "batch_normalisation_of_the_second_branch",
        "WWWW mmmm",
        "(1, 2) [3]",
    ],
)
def test_no_text_is_wider_than_told(font: str, text: str) -> None:
    fonts = pytest.importorskip("PIL.ImageFont")
    try:
        drawn = fonts.truetype(font, 100)
    except OSError:
        pytest.skip(f"{font} is not installed")
    assert drawn.getlength(text) <= text_width(text, 100, bold="Bold" in font)


def test_the_middle_of_what_is_too_long_is_left_out() -> None:
    text = "a_name_that_is_much_too_long_for_its_place"
    short = fitted(text, 150, 12)

    assert text_width(short, 12) <= 150
    before, _, after = short.partition("\u2026")
    assert text.startswith(before)
    assert text.endswith(after)
    assert fitted(text, 1000, 12) == text
