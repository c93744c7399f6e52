# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting up the neural tier: what is installed, and the jobs that install it."""
