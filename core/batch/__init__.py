# SPDX-License-Identifier: GPL-3.0-or-later
"""Many people: a plan of who is in which photos, a ledger of what is done, a crew of workers."""
