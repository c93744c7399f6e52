# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the shape network (core.cues.shape_network) in one process; never part of the extension.

    python -m training card --out RUN --minutes 8            on a card (CUDA); resumable
    python -m training card --out RUN --minutes 8 --resume   goes on where it stopped
    python -m training card --out RUN --start A --compiled   from A's weights, drawn faster
    python -m training card-export RUN --out posterior.npz   for the numpy runtime

People are drawn from the open head's statistics, rasterised, shaded and learnt from in the same
process, with no file between. RUN gets the state, weights, a log, curves, a sheet of samples
and a table of held-out people. docs/posterior.md says what came of it.
"""
