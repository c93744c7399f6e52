# SPDX-License-Identifier: GPL-3.0-or-later
"""Between pixels of a head's photo and pixels of a viewport that looks through its camera."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from bpy_extras import view3d_utils
from mathutils import Vector

from ...core import axes
from ...core.camera import Camera
from . import camera as photo_camera


@dataclass(frozen=True)
class PhotoView:
    """camera: as the last fit has it; moved (4, 4): how the artist has moved the family since."""

    camera: Camera
    moved: np.ndarray

    @classmethod
    def of(cls, obj: bpy.types.Object, camera: Camera) -> PhotoView:
        """obj: the scene's camera that was placed as ``camera``."""
        return cls(camera, np.array(photo_camera.moved_by(obj, camera)))

    def points(self, pixels: np.ndarray) -> np.ndarray:
        """(n, 2) photo pixels -> (n, 3) points of the scene at the head's distance."""
        k, r, t = self.camera.K, self.camera.R, self.camera.t
        rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(k).T
        in_head = (rays * t[2] - t) @ r
        scene = axes.to_scene(in_head)
        return scene @ self.moved[:3, :3].T + self.moved[:3, 3]

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """Inverse of points(), for scene points (n, 3) at any distance."""
        back = np.linalg.inv(self.moved)
        return self.camera.project(axes.to_head(points @ back[:3, :3].T + back[:3, 3]))

    def to_region(
        self, region: bpy.types.Region, view: bpy.types.RegionView3D, pixels: np.ndarray
    ) -> np.ndarray:
        """(n, 2) photo pixels -> (n, 2) region pixels; nan where nothing is to be seen."""
        out = np.full((len(pixels), 2), np.nan)
        for i, point in enumerate(self.points(pixels)):
            if np.isfinite(point).all():
                found = view3d_utils.location_3d_to_region_2d(region, view, Vector(point))
                if found is not None:
                    out[i] = found
        return out

    def to_photo(
        self, region: bpy.types.Region, view: bpy.types.RegionView3D, at: tuple[float, float]
    ) -> np.ndarray:
        """A region pixel -> (2,) photo pixels."""
        origin = view3d_utils.region_2d_to_origin_3d(region, view, at)
        direction = view3d_utils.region_2d_to_vector_3d(region, view, at)
        return self.pixels(np.array(origin + direction)[None])[0]
