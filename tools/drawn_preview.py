# SPDX-License-Identifier: GPL-3.0-or-later
"""preview.png in about a second: the pictures of tools.preview drawn by core's own rasteriser.

Runs inside Blender, which gives mesh, textures and hair as they stand in the scene; a plain light
of key, fill and rim takes the studio's place. Above: the photo cropped to the face, the mesh drawn
over it, and the head as the photo's camera sees it. Below: from the front, from three quarters and
from the side. The rendered picture is ``build.py run --render``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .installed_extension import module
from .pictures import Pixels, load_pixels, resample, save_pixels
from .preview import LINE_COLOUR, LINE_OPACITY, TILE, camera_intrinsics, crop_window, photo_image

Array = np.ndarray

#: Pixels of a drawing along one of the preview's.
_FINER = 2
#: Half the width of a drawn edge, in a drawing's pixels.
_LINE = 1.0
#: Towards the light in the view's axes (right, up, nearer), and its strength; and light from all
#: around. Skin that faces the key is as bright as its albedo.
_LAMPS = (((-0.55, 0.5, 0.67), 0.62), ((0.75, 0.05, 0.66), 0.26), ((0.5, 0.6, -0.62), 0.3))
_AROUND = 0.2
#: Distance of a portrait's camera in heights of the picture.
_FAR = 4.0
#: Metres by which a hair may lie behind what its pixel shows.
_BEHIND = 0.002
#: Hairs that are drawn at most, each as many dots as its picture's length takes.
_MOST_HAIRS = 12_000


@dataclass(frozen=True)
class Drawable:
    """World space. triangles (T, 3) with uv (T, 3, 2), material (T,) and real (T, 3), whether the
    edge across from each corner is one of a face; textures: a picture (h, w, 3), linear, or a
    colour (3,), for each material, None for what is clear; hair (S, Q, 3) with its colour (3,).
    """

    vertices: Array
    normals: Array
    triangles: Array
    uv: Array
    material: Array
    real: Array
    textures: list[Array | None]
    hair: Array
    hair_colour: Array

    @classmethod
    def of(cls, head: bpy.types.Object) -> Drawable:
        """The head as its modifiers leave it."""
        depsgraph = bpy.context.evaluated_depsgraph_get()
        shown = head.evaluated_get(depsgraph)
        mesh = shown.to_mesh()
        turn = np.array(head.matrix_world)
        vertices = _read(mesh.vertices, "co", 3) @ turn[:3, :3].T + turn[:3, 3]
        normals = _unit(_read(mesh.vertices, "normal", 3) @ turn[:3, :3].T)
        mesh.calc_loop_triangles()
        triangles = _read(mesh.loop_triangles, "vertices", 3, np.int32)
        loops = _read(mesh.loop_triangles, "loops", 3, np.int32)
        material = _read(mesh.loop_triangles, "material_index", 1, np.int32)[:, 0]
        uv = _read(mesh.uv_layers[0].data, "uv", 2)[loops]
        edges = np.sort(_read(mesh.edges, "vertices", 2, np.int32), axis=1).astype(np.int64)
        known = edges[:, 0] * len(vertices) + edges[:, 1]
        across = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]], axis=2).astype(np.int64)
        real = np.isin(across[..., 0] * len(vertices) + across[..., 1], known)
        shown.to_mesh_clear()
        hair, colour = _hair(head, depsgraph)
        textures = [_texture(slot.material) for slot in head.material_slots]
        return cls(vertices, normals, triangles, uv, material, real, textures, hair, colour)


@dataclass(frozen=True)
class View:
    """A pinhole camera: axes (3, 3), rows right, up and back in the world; place (3,); focal length
    and centre in pixels of a drawing.
    """

    axes: Array
    place: Array
    focal: float
    centre: tuple[float, float]

    def project(self, points: Array) -> tuple[Array, Array]:
        """Pixels (n, 2) and depth (n,) of world points (n, 3)."""
        local = (points - self.place) @ self.axes.T
        depth = -local[:, 2]
        x = self.centre[0] + self.focal * local[:, 0] / depth
        return np.column_stack([x, self.centre[1] - self.focal * local[:, 1] / depth]), depth


def draw_preview(
    head: bpy.types.Object, camera: bpy.types.Object, photo: Path, out_png: Path
) -> None:
    """Draws the six pictures and writes them as one PNG. The scene is not changed."""
    rooms = module("pixel3dmm_addon.scene.studio")
    points = rooms.above_neck(head)
    picture = load_pixels(photo_image(camera, photo))
    backdrop = 1.055 * rooms.BACKDROP ** (1 / 2.4) - 0.055
    window = crop_window(points, rooms.MARGIN, camera, picture)
    cropped = resample(picture, window, TILE, backdrop)[..., :3]
    drawable = Drawable.of(head)
    tiles = [cropped, *_drawn(drawable, _matched(camera, window, picture), backdrop, cropped)]
    sitter = rooms.Sitter.of(head)
    tiles += [
        _drawn(drawable, _portrait(sitter, rooms.MARGIN, degrees), backdrop)[-1]
        for degrees in (0, 38, 90)
    ]
    rows = [np.concatenate(tiles[i : i + 3], axis=1) for i in (0, 3)]
    save_pixels(np.concatenate(rows), out_png)


def _matched(camera: bpy.types.Object, window: tuple[float, float, float], picture: Pixels) -> View:
    """The photo's camera, narrowed to the crop."""
    left, top, tall = window
    focal, cx, cy = camera_intrinsics(camera, picture.shape[1], picture.shape[0])
    scale = _FINER * TILE[1] / tall
    world = np.array(camera.matrix_world.normalized())
    centre = ((cx - left) * scale, (cy - top) * scale)
    return View(world[:3, :3].T, world[:3, 3], focal * scale, centre)


def _portrait(sitter, margin: float, degrees: float) -> View:
    """From ``degrees`` to the person's left of the front, upright with the head."""
    angle = np.deg2rad(degrees)
    turn = np.array(sitter.turn)
    right = turn @ [np.cos(angle), np.sin(angle), 0.0]
    up, back = turn[:, 2], turn @ [np.sin(angle), -np.cos(angle), 0.0]
    tall = margin * sitter.height
    width, height = (_FINER * side for side in TILE)
    return View(
        np.stack([right, up, back]),
        np.array(sitter.middle) + _FAR * tall * back,
        _FAR * height,
        (width / 2, height / 2),
    )


def _drawn(
    head: Drawable, view: View, backdrop: float, photo: Pixels | None = None
) -> list[Pixels]:
    """The picture (H, W, 3) as displayed; before it, where there is a photo, the mesh on it."""
    rasterise = module("core.geometry.raster").rasterise
    width, height = (_FINER * side for side in TILE)
    pixels, depth = view.project(head.vertices)
    clear = np.array([t is None for t in head.textures] or [False])
    solid = ~clear[np.minimum(head.material, len(clear) - 1)]
    triangles = head.triangles[solid]
    raster = rasterise(pixels, depth, triangles, width, height)
    seen = raster.triangle >= 0
    which, shares = raster.triangle[seen], raster.barycentric[seen].astype(np.float32)
    normal = np.einsum("nk,nkc->nc", shares, head.normals[triangles[which]])
    normal = _unit(normal @ view.axes.T)
    uv = np.einsum("nk,nkc->nc", shares, head.uv[solid][which])
    colour = np.empty((len(which), 3), np.float32)
    slots = head.material[solid][which]
    for slot, texture in enumerate(head.textures):
        at = np.nonzero(slots == slot)[0]
        if texture is not None and len(at):
            colour[at] = texture if texture.ndim == 1 else _sampled(texture, uv[at])
    grey = float(_linear(np.array(backdrop)))
    linear = np.full((height, width, 3), grey, np.float32)
    linear[seen] = colour * _light(normal)[:, None]
    if len(head.hair):
        _draw_hair(head, view, raster.depth, linear)
    out = [_displayed(_smaller(linear))]
    if photo is not None:
        lines = np.zeros((height, width), np.float32)
        near = _from_edge(pixels[triangles], which, np.argwhere(seen)[:, ::-1] + 0.5)
        near[~head.real[solid][which]] = np.inf
        lines[seen] = np.clip(_LINE + 0.5 - near.min(axis=1), 0, 1) * (slots == 0)
        share = LINE_OPACITY * _smaller(lines[..., None])
        out.insert(0, photo * (1 - share) + np.array(LINE_COLOUR) ** (1 / 2.2) * share)
    return out


def _from_edge(corners: Array, which: Array, places: Array) -> Array:
    """(n, 3) pixels from places (n, 2) to the edge across from each corner of their triangle."""
    out = np.empty((len(which), 3), np.float32)
    for k in range(3):
        a, b = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
        along = b - a
        length = np.maximum(np.linalg.norm(along, axis=1), 1e-9)
        off = places - a[which]
        out[:, k] = (
            np.abs(off[:, 0] * along[which, 1] - off[:, 1] * along[which, 0]) / length[which]
        )
    return out


def _light(normals: Array) -> Array:
    """(n,) of unit normals (n, 3) in the view's axes."""
    out = np.full(len(normals), _AROUND, np.float32)
    for towards, strength in _LAMPS:
        out += strength * np.clip(normals @ _unit(np.array(towards)), 0, None)
    return out


def _draw_hair(head: Drawable, view: View, depth: Array, linear: Array) -> None:
    """Hairs as dots of their own light, the nearest of a pixel over what lies behind it."""
    height, width = depth.shape
    strands = head.hair[:: -(-len(head.hair) // _MOST_HAIRS)]
    pixels, far = (a.reshape(*strands.shape[:2], -1) for a in view.project(strands.reshape(-1, 3)))
    step = np.linalg.norm(np.diff(pixels, axis=1), axis=2)
    dots = int(np.clip(np.ceil(np.percentile(step, 90)), 1, 8))
    share = (np.arange(dots) / dots)[:, None]
    along = np.diff(strands, axis=1) @ view.axes.T
    along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    # Hair is bright across the light and dark along it (Kajiya and Kay, SIGGRAPH 1989).
    bright = np.full(along.shape[:2], 2.0 * _AROUND)
    for towards, strength in _LAMPS:
        cosine = along @ _unit(np.array(towards))
        bright += strength * (np.sqrt(np.clip(1 - cosine**2, 0, 1)) + 0.35 * (1 - cosine**2) ** 20)
    bright = bright * np.random.default_rng(0).uniform(0.6, 1.3, (len(strands), 1))
    ends = [(p[:, :-1, None] + share * np.diff(p, axis=1)[:, :, None]) for p in (pixels, far)]
    place, deep = ends[0].reshape(-1, 2), ends[1].reshape(-1)
    bright = np.repeat(bright.ravel(), dots)
    column, row = (np.floor(place[:, i]).astype(np.int64) for i in (0, 1))
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    flat = np.where(inside, row * width + column, 0)
    shown = np.nonzero(inside & (deep < depth.ravel()[flat] + _BEHIND))[0]
    # The last of equal places stays, so the nearest comes last.
    shown = shown[np.argsort(-deep[shown])]
    linear.reshape(-1, 3)[flat[shown]] = bright[shown, None] * head.hair_colour


def _hair(head: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> tuple[Array, Array]:
    """World points (S, Q, 3) of the head's hair and its colour; none of another make."""
    rooms = module("pixel3dmm_addon.scene.hair")
    hair = rooms.hair_of(head)
    nothing = np.zeros((0, 2, 3)), np.zeros(3)
    if hair is None or not len(hair.data.curves):
        return nothing
    data = hair.evaluated_get(depsgraph).data
    count = len(data.curves)
    points = _read(data.attributes["position"].data, "vector", 3)
    if not count or len(points) % count:
        return nothing
    turn = np.array(hair.matrix_world)
    points = points @ turn[:3, :3].T + turn[:3, 3]
    colour = np.array(rooms.about(hair).get("colour", (0.1, 0.06, 0.03)), float)
    return points.reshape(count, -1, 3), colour


def _texture(material: bpy.types.Material | None) -> Array | None:
    """Linear picture (h, w, 3), or colour (3,), of a material; None for what is clear."""
    if material is None or material.node_tree is None:
        return np.full(3, 0.5)
    nodes = material.node_tree.nodes
    shader = next((n for n in nodes if n.type == "BSDF_PRINCIPLED"), None)
    if shader is None:
        return np.full(3, 0.5)
    if shader.inputs["Alpha"].default_value < 0.7:
        return None
    images = [
        n.image for n in nodes
        if n.type == "TEX_IMAGE" and n.image and n.image.colorspace_settings.name == "sRGB"
    ]  # fmt: skip
    if not images or not shader.inputs["Base Color"].is_linked:
        return np.array(shader.inputs["Base Color"].default_value[:3])
    # Of the photo's own picture and the one without its light, the latter is lit here.
    image = next((i for i in images if "albedo" in i.name), images[0])
    bytes_ = np.rint(255 * np.clip(load_pixels(image)[..., :3], 0, 1)).astype(np.uint8)
    table = _linear(np.arange(256) / 255).astype(np.float32)
    return np.asarray(table[bytes_])


def _sampled(texture: Array, uv: Array) -> Array:
    """(n, 3) at places (n, 2) of the layout, v upward, linear in between."""
    height, width = texture.shape[:2]
    x = np.clip(uv[:, 0] * width - 0.5, 0, width - 1.001)
    y = np.clip((1 - uv[:, 1]) * height - 0.5, 0, height - 1.001)
    x0, y0 = x.astype(np.int64), y.astype(np.int64)
    fx, fy = (x - x0)[:, None], (y - y0)[:, None]
    rows, below = texture[y0, x0] * (1 - fx), texture[y0 + 1, x0] * (1 - fx)
    rows = rows + texture[y0, x0 + 1] * fx
    below = below + texture[y0 + 1, x0 + 1] * fx
    return rows * (1 - fy) + below * fy


def _smaller(picture: Array) -> Array:
    """The means of a drawing's pixels in each of the preview's."""
    height, width = (side // _FINER for side in picture.shape[:2])
    return picture.reshape(height, _FINER, width, _FINER, -1).mean(axis=(1, 3))


def _linear(displayed: Array) -> Array:
    low = displayed <= 0.04045
    return np.where(low, displayed / 12.92, ((displayed + 0.055) / 1.055) ** 2.4)


def _displayed(linear: Array) -> Array:
    value = np.clip(linear, 0, 1)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _read(items, name: str, size: int, kind=np.float32) -> Array:
    out = np.empty(len(items) * size, kind)
    items.foreach_get(name, out)
    return out.reshape(-1, size)
