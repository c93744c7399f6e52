# SPDX-License-Identifier: GPL-3.0-or-later
"""To be imported before numpy: one thread for OpenBLAS, as the worker has (core.protocol).

A second thread saves no time on matrices of a face's size, and another number of threads adds up in
another order: with one everywhere the same photo gives the same bytes, whichever way it ran.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
