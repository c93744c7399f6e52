# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's own words in other languages; Blender shows what the artist has chosen.

Blender translates labels, tooltips and literal texts of layouts by itself; :func:`tr` is for what
it does not: sentences with figures in them, and reasons of greyed-out buttons.
"""

from __future__ import annotations

import bpy

from . import japanese, simplified_chinese

CATALOGUES: dict[str, dict[str, str]] = {
    "ja_JP": japanese.WORDS,
    "zh_HANS": simplified_chinese.WORDS,
}
#: Blender looks labels of operators up in a context of their own.
CONTEXTS = ("*", "Operator")


def tr(text: str) -> str:
    """In the language of Blender's interface; the text itself where there is no translation."""
    return bpy.app.translations.pgettext_iface(text)


def register() -> None:
    """Hands all catalogues to Blender."""
    bpy.app.translations.register(
        __name__,
        {
            locale: {(context, text): word for context in CONTEXTS for text, word in words.items()}
            for locale, words in CATALOGUES.items()
        },
    )


def unregister() -> None:
    """Takes them back."""
    bpy.app.translations.unregister(__name__)
