# SPDX-License-Identifier: GPL-3.0-or-later
"""The modal operator driven as an event loop would, and what its ticks do meanwhile."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace

import bpy

#: What waits, by the name of the C function: no tick may call it.
WAITING = {"sleep", "waitpid", "wait4", "select", "poll", "epoll_wait", "WaitForSingleObject"}


class Window:
    """What invoke and modal ask of the window manager, which has no event loop here."""

    def __init__(self):
        self.timers, self.handlers = [], []
        self.windows = []

    def event_timer_add(self, seconds, window):
        self.timers.append(seconds)
        return seconds

    def event_timer_remove(self, timer):
        self.timers.remove(timer)

    def modal_handler_add(self, operator):
        self.handlers.append(operator)


def modal_operator(ours, monkeypatch):
    """(operator, context, reports): the operator as the event loop would drive it."""
    module = ours("pixel3dmm_addon.operators.reconstruct")
    running = ours("pixel3dmm_addon.operators.worker_operator")
    app = SimpleNamespace(background=False)
    monkeypatch.setattr(running, "bpy", SimpleNamespace(app=app))
    operator = module.PIXEL3DMM_OT_reconstruct_face
    methods = ("execute", "invoke", "modal", "cancel")
    methods += ("_begin", "_advance", "_show", "_finish", "_say", "_end", "_key")
    methods += ("_make_run", "_build")
    reports = []
    fake = type("Fake", (running.WorkerOperator,), {"_path": operator._path})()
    for name, value in {
        "_timer": None, "_run": None, "report": lambda kind, text: reports.append(text),
        "photo": "", "match_render_size": False, "expression": 1.0,
        "options": SimpleNamespace(is_repeat=False),
        "properties": SimpleNamespace(is_property_set=lambda name: False),
    }.items():  # fmt: skip
        setattr(fake, name, value)
    for name in methods:
        setattr(fake, name, getattr(operator, name).__get__(fake))
    window = Window()
    # Whatever is not the window manager is Blender's own context.
    context = type("Context", (), {
        "__getattr__": lambda self, name: getattr(bpy.context, name),
        "window_manager": window, "window": None,
    })()  # fmt: skip
    return fake, context, reports


def tick(type_="TIMER", value="NOTHING"):
    return SimpleNamespace(type=type_, value=value)


def drive(operator, context, until=lambda: False):
    """Ticks until the operator ends; what it returned last."""
    deadline = time.monotonic() + 120
    while not until():
        assert time.monotonic() < deadline, "the operator does not end"
        ended = operator.modal(context, tick())
        if ended != {"PASS_THROUGH"}:
            return ended
        time.sleep(0.005)
    return None


class Watch:
    """``with watch:`` around a tick: which functions that wait were called in it."""

    def __init__(self):
        self.waited = []

    def __enter__(self):
        sys.setprofile(self._called)
        return self

    def __exit__(self, *exception):
        sys.setprofile(None)

    def _called(self, frame, event, function):
        # Popen.poll() asks waitpid and does not wait.
        asked = frame.f_code.co_name in ("_internal_poll", "poll")
        if event == "c_call" and function.__name__ in WAITING and not asked:
            self.waited.append(f"{function.__name__} in {frame.f_code.co_name}")
