# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as the add-on sees it: the process, the queue, and an artist's runs."""
