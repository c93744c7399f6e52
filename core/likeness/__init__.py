# SPDX-License-Identifier: GPL-3.0-or-later
"""How far to trust a fitted head, and where: figures, words and a picture."""
