# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests and benchmarks share: heads, rigs, measures and hostile files."""
