# SPDX-License-Identifier: GPL-3.0-or-later
"""A head into a file: a copy is made, written, read back and compared; ``run`` is the whole way."""
