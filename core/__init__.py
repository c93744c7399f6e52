# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo in, a rigged head out: everything that computes, and nothing of Blender.

Importing any module of this package needs numpy and the standard library alone.

Frames, used everywhere in this package:

* head frame: FLAME's. Metres, +x to the subject's left, +y up, +z out of the face.
* camera frame: OpenCV's. Metres, +x right in the image, +y down, +z away from the camera.
* image: pixels of the original photo after its EXIF orientation, x right, y down; the centre
  of the top-left pixel is (0.5, 0.5), so that width and height are the image's borders.
"""

__version__ = "0.1.0"
