# SPDX-License-Identifier: GPL-3.0-or-later
"""The neural head tier: parametric heads as signed distance fields (NPHM 2023, MonoNPHM 2024).

Weights are the person's own files. `decoder` is the field, `surface` its mesh, `fit` the codes of a
head that a photo was fitted with, `onto_rig` brings the surface's detail to the rigged head.
Numpy alone: a network's layer is one product over all queries near its anchor, which two cores of
a laptop do as fast as torch would, and which then runs in Blender's own Python with nothing to
install. Space: four units to the metre, head frame's axes, negative inside.
"""
