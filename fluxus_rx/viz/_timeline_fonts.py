"""Fonts that have the characters of a picture's texts, as far as any on this computer has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.font_manager import FontProperties

__all__ = ["Fonts"]

#: matplotlib brings the first one with it; the others are those that systems have for scripts that
#: it lacks.
_FAMILIES: Final = (
    "DejaVu Sans",
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Source Han Sans", "WenQuanYi Micro Hei"),
    *("Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Yu Gothic", "Microsoft YaHei", "Malgun Gothic", "Segoe UI Symbol"),
    *("Noto Sans Devanagari", "Noto Sans Thai", "Nirmala UI", "Noto Emoji"),
)
_MISSING: Final = "□"


class Fonts:
    """The fonts of one picture; matplotlib goes through them for each character."""

    def __init__(self) -> None:
        from matplotlib.font_manager import fontManager

        files = {font.name: font.fname for font in reversed(fontManager.ttflist)}
        self._files = {name: files[name] for name in _FAMILIES if name in files}
        self._known: set[str] = set()

    def properties(self, size: float) -> FontProperties:
        """The fonts, for the argument `fontproperties`."""
        from matplotlib.font_manager import FontProperties

        return FontProperties(family=[*self._files], size=size)

    def drawable(self, text: str) -> str:
        """The text with a box for each character that no font has.

        matplotlib would draw such a box too, but warn of each.
        """
        if not text.isascii() and not self._known:
            self._known = set(map(chr, self._characters()))
        return "".join(one if one.isascii() or one in self._known else _MISSING for one in text)

    def _characters(self) -> set[int]:
        from matplotlib.font_manager import get_font

        return {code for file in self._files.values() for code in get_font(file).get_charmap()}
