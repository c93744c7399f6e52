# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds buttons and headers of the sidebar in a windowed Blender, so that a walk can click them.

Blender tells no script where a button is. It tells an operator that a key starts which button the
mouse rests on: the mouse is moved over the sidebar, and a key that nobody has asks at each place.
"""

import bpy
import window_hands as hands

STEP = 8
_TABS = 24
_asked = []


class UnderMouse(bpy.types.Operator):
    """Writes down which button is under the mouse"""

    bl_idname = "ask.under_mouse"
    bl_label = "Under Mouse"
    bl_options = {"INTERNAL"}  # noqa: RUF012

    def execute(self, context):
        board = context.window_manager
        for copy, options in _COPIES:
            board.clipboard = ""
            if copy.poll():
                copy(**options)
            if board.clipboard:
                break
        _asked.append(board.clipboard)
        return {"FINISHED"}


#: What a person would choose in a button's own menu: its Python command, or the path of its value.
_COPIES = (
    (bpy.ops.ui.copy_python_command_button, {}),
    (bpy.ops.ui.copy_data_path_button, {"full_path": True}),
)


def register():
    bpy.utils.register_class(UnderMouse)
    maps = bpy.context.window_manager.keyconfigs.addon.keymaps
    keys = maps.new(name="User Interface", space_type="EMPTY")
    keys.keymap_items.new(UnderMouse.bl_idname, "F19", "PRESS")


def move(x, y):
    hands.window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=int(x), y=int(y))


def ask(x, y):
    """Command or value of the button at a place of the window, empty for none; a generator."""
    _asked.clear()
    move(x, y)
    for value in ("PRESS", "RELEASE"):
        hands.window().event_simulate(type="F19", value=value, x=int(x), y=int(y))
    for _ in range(20):
        yield 0.01
        if _asked:
            return _asked[-1]
    return ""


def places():
    """Heights of the sidebar from top to bottom, and its left side and width without the tabs."""
    panel = hands.region("UI")
    return (
        range(panel.y + panel.height - STEP, panel.y, -STEP),
        panel.x,
        panel.width - _TABS,
    )


def find(words, share=0.5, *, scrolled=False):
    """Where a button is, by a part of its command or of its value's path; a generator.

    share: how far to the right it stands, of the sidebar's width.
    """
    heights, left, width = places()
    met, x = set(), left + share * width
    for y in heights:
        found = yield from ask(x, y)
        if words in found:
            return x, y - STEP // 2
        met.add(found)
    if scrolled:
        raise LookupError(f"no button {words} in the sidebar, only {sorted(met)}")
    yield from scroll_down()
    return (yield from find(words, share, scrolled=True))


def scroll_down():
    """The wheel over the sidebar, as a person turns it to see what is further down."""
    panel = hands.region("UI")
    x, y = panel.x + panel.width // 2, panel.y + panel.height // 2
    move(x, y)
    for _ in range(12):
        hands.window().event_simulate(type="WHEELDOWNMOUSE", value="PRESS", x=x, y=y)
        yield 0.1
    yield 0.5


def click(x, y):
    """The left button, pressed and let go."""
    say = hands.window().event_simulate
    for k in range(2):
        move(x - 1 + k, y)
        yield 0.05
    say(type="LEFTMOUSE", value="PRESS", x=int(x), y=int(y))
    yield 0.05
    say(type="LEFTMOUSE", value="RELEASE", x=int(x), y=int(y))
    yield 0.1


def find_header(rows, panel, *, scrolled=False):
    """Where the header of a closed panel is: opened once and closed again; a generator.

    rows: what panels drew last (window_hands.watch).
    """
    heights, left, width = places()
    x = left + 0.35 * width
    for y in heights:
        # Asked twice: a slow window may have drawn nothing yet.
        name = (yield from ask(x, y)) or (yield from ask(x, y - 1))
        if name:
            continue
        rows.pop(panel, None)
        yield from click(x, y)
        yield 0.25
        opened = panel in rows
        yield from click(x, y)  # whatever it was: as before
        yield 0.25
        if opened:
            return x, y
    if scrolled:
        raise LookupError(f"no header opens {panel}")
    yield from scroll_down()
    return (yield from find_header(rows, panel, scrolled=True))
