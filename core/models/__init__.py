# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that people bring: where they are kept, and how they are found and imported."""
