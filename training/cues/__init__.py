# SPDX-License-Identifier: GPL-3.0-or-later
"""What the network sees, what it says, and how that becomes cues of the fit.

Written as a part of ``core`` would be (numpy and the standard library alone), and outside of it as
long as no weights are worth shipping.
"""
