# SPDX-License-Identifier: GPL-3.0-or-later
"""From a clip to a performance: ARKit's sliders, head pose and gaze of one face, frame by frame.

``frames -> landmarks -> sliders and pose -> smoothed curves``: the face nets follow the face from
frame to frame, a bounded fit of one frame at a time turns landmarks into sliders of a head that is
known already, and a smoother over the whole shot takes out what flickers and leaves what moves.
"""
