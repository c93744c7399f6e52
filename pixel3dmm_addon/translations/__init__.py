# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's own words in other languages; Blender shows what the artist has chosen.

Blender translates labels, tooltips and literal texts of layouts by itself; :func:`tr` is for what
it does not: sentences with figures in them, and reasons of greyed-out buttons. :func:`said` is for
whole sentences of core, whose figures are in them already.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import bpy

from . import japanese, simplified_chinese


def _rows() -> list[list[str]]:
    """Sentences and tooltips: English, Japanese, simplified Chinese."""
    table = Path(__file__).with_name("words.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]


CATALOGUES: dict[str, dict[str, str]] = {
    "ja_JP": {**{row[0]: row[1] for row in _rows()}, **japanese.WORDS},
    "zh_HANS": {**{row[0]: row[2] for row in _rows()}, **simplified_chinese.WORDS},
}
#: Blender looks labels of operators up in a context of their own.
CONTEXTS = ("*", "Operator")
_FIGURE = re.compile(r"\{[^}]*\}")
#: Letters that a template has beside its figures, so that it fits no sentence by chance.
_TELLING = 8


def tr(text: str) -> str:
    """In the language of Blender's interface; the text itself where there is no translation."""
    return bpy.app.translations.pgettext_iface(text)


def said(sentence: str) -> str:
    """A sentence of core in the language of Blender's interface, by the entry that it was made
    from: "The face is small ({} pixels wide)" for "The face is small (92 pixels wide)".
    """
    view = bpy.context.preferences.view
    locale = bpy.app.translations.locale
    if locale not in CATALOGUES or not view.use_translate_interface:
        return sentence
    return in_language(locale, sentence)


@lru_cache(maxsize=512)
def in_language(locale: str, sentence: str) -> str:
    """The same in the language of a catalogue; the sentence itself where no entry fits."""
    words = CATALOGUES[locale]
    if sentence in words:
        return words[sentence]
    for pattern, word in _templates(locale):
        found = pattern.fullmatch(sentence)
        if found:
            figures = [_listed(words, figure) for figure in found.groups()]
            return _FIGURE.sub("{}", word).format(*figures)
    return sentence


def _listed(words: dict[str, str], text: str) -> str:
    """A name, or several with commas between them; figures stay."""
    return ", ".join(words.get(one, one) for one in text.split(", "))


@lru_cache(maxsize=8)
def _templates(locale: str) -> list[tuple[re.Pattern[str], str]]:
    """Sentences with figures as patterns, those that say most first."""
    found = []
    for text, word in CATALOGUES[locale].items():
        literal = _FIGURE.sub("", text)
        if literal != text and len(literal) >= _TELLING:
            pattern = "(.+?)".join(re.escape(part) for part in _FIGURE.split(text))
            found.append((len(literal), re.compile(pattern), word))
    return [(pattern, word) for _, pattern, word in sorted(found, key=lambda one: -one[0])]


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
