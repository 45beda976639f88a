"""How wide text is drawn, whatever font there is: by the widths of a wide one, so that no label meets its border."""

from __future__ import annotations

_WIDTHS = {
    "iIjl.,:;|!' ": 0.36,
    '()[]{}frt-/\\"': 0.47,
    "mwMW@%": 1.06,
    "ABCDEGHKNOQRUXY\u00d7\u2192_+=<>#&": 0.84,
}
"""By letters, in heights of the font; measured on DejaVu Sans, which stands in where a page's font is missing."""

_OTHER = 0.68
_BOLD = 1.1


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """An upper bound of a line's width, in pixels.

    Args:
        text: the line.
        size: height of the font, in pixels.
        bold: whether it is drawn bold.

    Example:
        >>> text_width("ill", 10.0) < text_width("mmm", 10.0)
        True
    """
    heights = sum(next((width for letters, width in _WIDTHS.items() if letter in letters), _OTHER) for letter in text)
    return heights * size * (_BOLD if bold else 1.0)


def fitted(text: str, most: float, size: float, *, bold: bool = False) -> str:
    """The line, with its middle left out where it is wider than so many pixels.

    Example:
        >>> fitted("conv1", 200, 12.0), fitted("a_name_that_is_much_too_long_for_its_place", 120, 12.0)
        ('conv1', 'a_name…_place')
    """
    if text_width(text, size, bold=bold) <= most:
        return text
    kept = len(text) - 1
    while kept > 2 and text_width(_cut(text, kept), size, bold=bold) > most:
        kept -= 1
    return _cut(text, kept)


def _cut(text: str, kept: int) -> str:
    return f"{text[: kept - kept // 2]}\u2026{text[len(text) - kept // 2 :]}"
