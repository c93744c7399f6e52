# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures how the face mesh's landmarks relate to the points embedded in the open head.

The detector is run on renders of the open head itself, whose true points are known, in many
identities, expressions, poses, lenses, lights and skins. What it reports is then described by a
linear Gaussian model (see core.fitting.landmark_model). No benchmark head is ever looked at.

    python -m tools.calibration render --count 1500 --seed 1 --out FOLDER    (needs bpy)
    python -m tools.calibration embed FOLDER  (moves the points in vendor/open_head)
    python3 build.py assets                   (the head with its landmarks where they were measured)
    python -m tools.calibration solve FOLDER --out vendor/calibration/landmarks.npz

How far a fit may be off (core.likeness) is measured on people that the head's model does not hold:

    python -m tools.calibration strangers --out FOLDER               (needs bpy)
    python -m tools.calibration bound FOLDER                         (prints two numbers)
"""
