# SPDX-License-Identifier: GPL-3.0-or-later
"""From a fit to what is kept of it: assembly, going on with a fit, report, recipe, files."""
