# SPDX-License-Identifier: GPL-3.0-or-later
"""Between pixels of a head's photo and pixels of a viewport that looks through its camera."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from bpy_extras import view3d_utils

from ...core.geometry import axes
from ...core.geometry.camera import Camera
from . import camera as photo_camera


@dataclass(frozen=True)
class PhotoView:
    """camera: as the last fit has it; moved (4, 4): how the artist has moved the family since."""

    camera: Camera
    moved: np.ndarray

    @classmethod
    def of(cls, obj: bpy.types.Object, camera: Camera) -> PhotoView:
        """obj: the scene's camera that was placed as ``camera``."""
        # Blender 5.0 hands matrices to numpy in single precision, whose inverse is no better.
        return cls(camera, np.array(photo_camera.moved_by(obj, camera), dtype=np.float64))

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
        """(n, 2) photo pixels -> (n, 2) region pixels; nan where nothing is to be seen.

        As bpy_extras.view3d_utils.location_3d_to_region_2d, for thousands of points at once.
        """
        points = np.column_stack([self.points(pixels), np.ones(len(pixels))])
        x, y, _, w = (points @ np.array(view.perspective_matrix, dtype=np.float64).T).T
        w = np.where(w > 0, w, np.nan)
        return np.column_stack([(1 + x / w) * region.width / 2, (1 + y / w) * region.height / 2])

    def to_photo(
        self, region: bpy.types.Region, view: bpy.types.RegionView3D, at: tuple[float, float]
    ) -> np.ndarray:
        """A region pixel -> (2,) photo pixels."""
        origin = view3d_utils.region_2d_to_origin_3d(region, view, at)
        direction = view3d_utils.region_2d_to_vector_3d(region, view, at)
        return self.pixels(np.array(origin + direction)[None])[0]

    def show(self, area: bpy.types.Area, pixels: np.ndarray, share: float) -> None:
        """Zooms a 3D viewport that looks through the camera, so that photo pixels (n, 2) take
        ``share`` of what the sidebar leaves free, in its middle.

        After Blender's own BKE_camera_params_from_view3d: a zoom z enlarges by
        (sqrt(2) + z / 50)^2 / 4, an offset moves by twice itself in enlarged regions.
        """
        region = next(r for r in area.regions if r.type == "WINDOW")
        view = area.spaces.active.region_3d
        view.update()
        at = self.to_region(region, view, pixels)
        low, high = np.nanmin(at, axis=0), np.nanmax(at, axis=0)
        size = np.array([region.width, region.height], float)
        sidebar = sum(r.width for r in area.regions if r.type == "UI")
        free = size - [sidebar, 0.0]
        now = _enlarged(view.view_camera_zoom)
        wanted = now * float((share * free / np.maximum(high - low, 1.0)).min())
        zoom = float(np.clip(50 * (2 * np.sqrt(wanted) - np.sqrt(2)), -30.0, 600.0))
        then = _enlarged(zoom)
        # From the middle of the frame to that of the pixels, in regions at no enlargement.
        offset = np.array(view.view_camera_offset)
        middle = ((low + high) / 2 - size / 2) / size / now + 2 * offset
        aside = (free - size) / 2 / size / then
        view.view_camera_zoom = zoom
        view.view_camera_offset = np.clip((middle - aside) / 2, -1.0, 1.0).tolist()
        view.update()


def _enlarged(zoom: float) -> float:
    return float((np.sqrt(2) + zoom / 50) ** 2 / 4)
