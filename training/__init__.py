# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws synthetic people and trains the shape network on them; never part of the extension.

    python -m training card --out RUN --minutes 8         trains on a card; resumable
    python -m training card-export RUN --out WEIGHTS.npz  for the numpy runtime
    python -m training shoot PHOTOS --renderer cycles     whole photos of people it never saw

`population` draws people wider than the head model's own statistics, `drawing` what they do in
front of which camera; `quick_studio` rasterises them, `cycles_studio` traces paths (needs bpy).
Every photo is a function of its seed and number alone.
"""
