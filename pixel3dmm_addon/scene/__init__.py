# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects in the scene from arrays: one file a kind of object, ``build`` puts them together."""
