# SPDX-License-Identifier: GPL-3.0-or-later
"""What builds, packages, checks and runs the project; nothing of it is shipped."""
