# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair: seen in the photo, grown on the head as curves, coloured, and cut into cards for engines.

photo + fit -> see -> Sight -> hull (how far hair stands off) + style -> grow -> guides
guides -> strands (what is drawn) and cards (what engines get)
"""
