# SPDX-License-Identifier: GPL-3.0-or-later
"""All jobs of the worker by their kind. A new job is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..progress import Progress
from .conform import conform_job, register_job, wrap_job
from .hair import hair_job
from .live import live_job
from .look import look_job
from .parameters import Parameters
from .person_files import person_files_job
from .reconstruct import reconstruct_job
from .refit import refit_job
from .setup import check_python_job, import_models_job, install_runtime_job, remove_runtime_job
from .track import track_job
from .warm import warm_job

#: Parameters, progress, and what to call before results get their names -> the result's fields.
#: Raises PersonError for what a person can mend, and what ``progress`` raises.
Job = Callable[[Parameters, Progress, Callable[[], None]], dict[str, Any]]

JOBS: dict[str, Job] = {
    "reconstruct": reconstruct_job,
    "person_files": person_files_job,
    "look": look_job,
    "refit": refit_job,
    "live": live_job,
    "hair": hair_job,
    "track": track_job,
    "conform": conform_job,
    "wrap": wrap_job,
    "register": register_job,
    "warm": warm_job,
    "install_runtime": install_runtime_job,
    "remove_runtime": remove_runtime_job,
    "check_python": check_python_job,
    "import_models": import_models_job,
}
