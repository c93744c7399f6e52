# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that reach a person: one sentence that says what is wrong and what to do.

``code`` is stable and travels through the worker's protocol; the sentence is for the eye.
Anything else that is raised is a defect of ours and keeps its traceback in the log.
"""

from __future__ import annotations


class PersonError(Exception):
    """Something that the person can mend. ``str(error)`` is the whole sentence."""

    code = "error"


class PhotoError(PersonError):
    """The photo cannot be read or is not a photo."""

    code = "photo"


class NoFaceError(PersonError):
    """No face was found where one was looked for."""

    code = "no_face"


class ModelFileError(PersonError):
    """A model or data file is missing, damaged or of another kind."""

    code = "model_file"


class FitError(PersonError):
    """The cues do not determine a head (degenerate, not finite, or contradictory)."""

    code = "fit"


class OutputError(PersonError):
    """A result cannot be written where it was asked for."""

    code = "output"


class RuntimeSetupError(PersonError):
    """The neural runtime could not be made, found or used."""

    code = "runtime"


class MotionError(PersonError):
    """A recording cannot be read, or nothing in the scene can show it."""

    code = "motion"


class VideoError(PersonError):
    """A clip cannot be read, or shows no face that can be followed."""

    code = "video"


class MeshError(PersonError):
    """A mesh of the artist's cannot be worked with: no head, damaged, or of another kind."""

    code = "mesh"


class WorkerError(PersonError):
    """The worker process failed, vanished or broke its protocol."""

    code = "worker"


class Cancelled(Exception):  # noqa: N818 - not an error: the person asked for it
    """The job was cancelled; nothing was written."""
