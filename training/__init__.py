# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the dense predictor on synthetic heads; never part of the extension.

    python -m training make DATA --count 4000 --seed 1      examples, resumable
    python -m training make DATA --count 128 --seed 2       held out: measured with, never learnt
    python -m training sheet DATA --out SHEET.png           look at them
    python -m training train DATA --out RUN                 needs torch; resumable
    python -m training curves RUN --out CURVES.png
    python -m training export RUN --out WEIGHTS.npz         for the numpy runtime
    python -m training evaluate WEIGHTS.npz                 the whole fit on held-out people
    python -m training shoot PHOTOS --renderer cycles       whole photos; needs bpy
    python -m training photos PHOTOS WEIGHTS                the product's whole way on them
    python -m training bench WEIGHTS.npz --bench BENCH --out MESHES

Making needs numpy and OpenCV. Every example is a function of the seed and its number alone. What
the head model cannot be is not seen in training, so that the population is wider than the model's
own statistics (see `population`).
"""
