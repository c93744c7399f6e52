# SPDX-License-Identifier: GPL-3.0-or-later
"""Every word that the panels show has an entry in every catalogue."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import bpy
import pytest

PACKAGE = "bl_ext.user_default.pixel3dmm"


def literals_of_panels(folder: Path) -> set[str]:
    """Labels of panels, texts of layouts, and what is handed to tr() and draw_sentence()."""
    found = set()
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "bl_label":
                found.add(node.value)
            if isinstance(node, ast.Call):
                called = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if called in ("tr", "draw_sentence"):
                    found.update(node.args[:1] if called == "tr" else node.args[1:2])
                found.update(k.value for k in node.keywords if k.arg == "text")
    texts = {n.value for n in found if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return {text for text in texts if text}


def template(node: ast.expr | None) -> str:
    """A text as its source has it, with {} for each figure; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [v.value if isinstance(v, ast.Constant) else "{}" for v in node.values]
        return "".join(str(part) for part in parts)
    return ""


def reasons(folder: Path) -> set[str]:
    """Why buttons are greyed out: what functions called why_not return, and names for several."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("why_"):
                inner = [n for n in ast.walk(node) if isinstance(n, ast.Return | ast.Assign)]
                values = [n.value for n in inner if n.value is not None]
                found |= {template(v) for value in values for v in ast.walk(value)}
        if path.name == "poll_reason.py":
            found |= {template(n.value) for n in tree.body if isinstance(n, ast.Assign)}
    return {text for text in found if " " in text and "{" not in text}


def sentences_of_the_photo_check(path: Path) -> set[str]:
    """What is put among advice and remarks, or returned as a list of them."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "append":
            found.add(template(node.args[0]))
        if isinstance(node, ast.Return) and isinstance(node.value, ast.List):
            found |= {template(one) for one in node.value.elts}
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "NO_FACE":
            found.add(template(node.value))
    return {text for text in found if text}


def tooltips(ours) -> set[str]:
    """Of operators and of the scene's choices."""
    classes = [c for m in ours("pixel3dmm_addon")._MODULES for c in m.CLASSES]
    operators = [c for c in classes if "_OT_" in c.__name__]
    assert len(operators) > 40
    found = {c.bl_rna.description for c in operators}
    scene = ours("pixel3dmm_addon.properties").PIXEL3DMM_PG_scene.bl_rna.properties
    return found | {p.description for p in scene if p.identifier not in ("rna_type", "name")}


def said(path: Path) -> set[str]:
    """What one file hands to tr()."""
    calls = [
        n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)
    ]
    return {
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", "") == "tr" and isinstance(call.args[0], ast.Constant)
    }


def words(ours) -> set[str]:
    """All of them: literals, names of operators that panels press, of properties and sliders."""
    panels = Path(ours("pixel3dmm_addon.panels").__file__).parent
    out = literals_of_panels(panels)
    for verb in ("choose_face", "correct_fit", "expression", "help", "identity"):
        out |= said(panels.parent / "operators" / f"{verb}.py")
    progress = ours("core.progress")
    out |= {progress.FINDING, progress.READING, progress.MAPPING, progress.FITTING}
    out |= {progress.SHAPING, progress.PAINTING, progress.RIGGING, progress.WRITING}
    out.add(ours("core.fitting.several_photos").COMPARING)
    tracker = ours("core.track.tracker")
    out |= {tracker.READING, tracker.FITTING, tracker.SMOOTHING}
    out.add(ours("pixel3dmm_addon.jobs.track_run").DECODING)
    pressed = "".join(p.read_text(encoding="utf-8") for p in sorted(panels.glob("*.py")))
    for name in re.findall(r"(PIXEL3DMM_OT_\w+)\.bl_idname", pressed):
        operator = getattr(bpy.types, name)
        out.add(operator.bl_label)
    for group in (
        ours("pixel3dmm_addon.properties").PIXEL3DMM_PG_scene,
        ours("pixel3dmm_addon.head_properties").PIXEL3DMM_PG_head,
        ours("pixel3dmm_addon.fit_properties").PIXEL3DMM_PG_fit,
    ):
        properties = group.bl_rna.properties
        shown = [p for p in properties if not p.is_hidden and p.identifier != "name"]
        out |= {p.name for p in shown if p.identifier != "rna_type"}
    tool = ours("pixel3dmm_addon.operators.correct_fit")
    out |= {tool.HELP, tool.NOT_YET}
    for handle in ours("core.heads.handles").handles(ours("core.heads").load_open_head()):
        side = next((s for s in ("Right ", "Left ") if handle.name.startswith(s)), "")
        out |= {side, handle.name[len(side) :]}
    out |= {sentence for sentence, _ in ours("pixel3dmm_addon.panels.correct_fit").HELP}
    expression = ours("core.rig.expression")
    for region, names in expression.REGIONS.items():
        for name in names:
            stem, _ = expression.pair_of(name, names)
            out |= {expression.title(stem or name), expression.short_title(stem or name, region)}
        out.add(region)
    out |= set(ours("core.rig.traits").TRAITS)
    said_of_likeness = ours("core.likeness.words")
    out |= {*said_of_likeness.PARTS, *said_of_likeness.TEMPLATES}
    out |= {source.capitalize() for source in ours("core.likeness.source_and_bound").SOURCES}
    poses = ours("core.rig.poses")
    out |= set(poses.POSES)
    out |= reasons(panels.parent)
    out |= sentences_of_the_photo_check(Path(ours("core.cues.photo_check").__file__))
    out |= tooltips(ours)
    out |= {p.unit for p in ours("pixel3dmm_addon.export.presets").PRESETS}
    out |= {step.text for steps in ours("pixel3dmm_addon.operators.next_step").STEPS.values()
            for step in steps}  # fmt: skip
    return {word for word in out if re.search("[A-Za-z]", word)}


@pytest.mark.parametrize("locale", ["ja_JP", "zh_HANS"])
def test_every_word_has_an_entry(ours, locale):
    catalogue = ours("pixel3dmm_addon.translations").CATALOGUES[locale]
    missing = sorted(words(ours) - set(catalogue))
    assert not missing, f"words of panels that pixel3dmm_addon/translations lacks: {missing}"
    for text, word in catalogue.items():
        assert word.strip(), text
        assert sorted(re.findall(r"\{[^}]*\}", text)) == sorted(re.findall(r"\{[^}]*\}", word)), (
            text
        )
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", word) or word == text, text


@pytest.mark.parametrize("locale", ["ja_JP", "zh_HANS"])
def test_sentences_of_core_are_said_in_the_language_with_their_figures(ours, locale):
    in_language = ours("pixel3dmm_addon.translations").in_language
    words = ours("pixel3dmm_addon.translations").CATALOGUES[locale]
    small = in_language(
        locale,
        "The face is small (92 pixels wide): proportions will be coarse, "
        "from 200 on they are good.",
    )
    assert "92" in small
    assert small in {word.replace("{}", "92") for text, word in words.items() if "is small" in text}
    hidden = in_language(
        locale, "Covered or in the dark: mouth, chin. What is not seen will be guessed."
    )
    assert f"{words['mouth']}, {words['chin']}" in hidden
    closed = in_language(locale, "Both eyes are closed: the gaze cannot be seen.")
    assert closed.startswith(words["Both eyes are"])
    assert in_language(locale, "Nobody has ever said this.") == "Nobody has ever said this."


def test_blender_shows_the_chosen_language(ours):
    if "ja_JP" not in bpy.app.translations.locales:
        pytest.skip("this Blender was built without translations")
    view = bpy.context.preferences.view
    before = view.language
    try:
        view.language = "ja_JP"
        view.use_translate_interface = True
        tr = ours("pixel3dmm_addon.translations").tr
        word = ours("pixel3dmm_addon.translations").CATALOGUES["ja_JP"]["Reconstruct Face"]
        assert tr("Reconstruct Face") == word
        assert bpy.app.translations.pgettext("Reconstruct Face", "Operator") == word
    finally:
        view.language = before
