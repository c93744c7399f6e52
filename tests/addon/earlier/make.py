# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a head as one version of the extension makes it, cut down to a patch of its mesh.

Run with a Blender's Python that has bpy, on that version's zip: ``make.py ZIP PHOTO NAME`` writes
NAME.npz, a RiggedHead as its worker hands it over, and NAME.blend, a collection as its scene code
builds it. All keys, bones and properties are there; of the mesh 40 faces around the nose and one
for each bone.
"""

import gzip
import importlib
import os
import sys
import tempfile
from dataclasses import fields, replace
from pathlib import Path

os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp()
import bpy
import numpy as np

PACKAGE = "bl_ext.user_default.pixel3dmm.pixel3dmm_addon"
FACES = 40
archive, photo, name = sys.argv[1:4]


def patch(rigged):
    """The faces nearest to the tip of the nose, and what belongs to them."""
    corners = np.where(rigged.quads < 0, rigged.quads[:, :1], rigged.quads)
    tip = rigged.basis[np.argmax(rigged.basis[:, 2])]
    away = np.linalg.norm(rigged.basis[corners].mean(axis=1) - tip, axis=1)
    of_joint = rigged.weights[corners].mean(axis=1)
    # Every bone moves something.
    faces = np.unique([*np.argsort(away, kind="stable")[:FACES], *of_joint.argmax(axis=0)])
    vertices, uvs = (np.unique(a[faces][a[faces] >= 0]) for a in (rigged.quads, rigged.uv_quads))

    def renumbered(quads, kept):
        new = np.full(int(max(quads.max(), kept.max())) + 2, -1, "i4")
        new[kept] = np.arange(len(kept))
        return new[quads[faces]]

    changes = {
        "basis": rigged.basis[vertices],
        "quads": renumbered(rigged.quads, vertices),
        "face_part": rigged.face_part[faces],
        "uv": rigged.uv[uvs],
        "uv_quads": renumbered(rigged.uv_quads, uvs),
        "key_deltas": rigged.key_deltas[:, vertices],
        "weights": rigged.weights[vertices],
        "posed": rigged.posed[vertices],
        "regions": rigged.regions[:, vertices],
        "uncertainty": rigged.uncertainty[vertices],
    }
    later = {f.name for f in fields(rigged)}
    if "mirror" in later:
        changes["mirror"] = np.arange(len(vertices), dtype="i4")
        changes["landmark_vertices"] = np.full((478, 3), -1, "i4")
        changes["landmark_barycentric"] = np.zeros((478, 3), "f4")
    for field in later - set(changes):
        value = getattr(rigged, field)
        if isinstance(value, np.ndarray) and value.shape[:1] == (len(rigged.basis),):
            changes[field] = value[vertices]
    return replace(rigged, **changes)


def without_path(path):
    """Blender notes down where a file was saved: nobody else's business."""
    data, place = path.read_bytes(), str(path.parent).encode()
    path.write_bytes(gzip.compress(data.replace(place, b"\0" * len(place)), mtime=0))


bpy.ops.extensions.package_install_files(
    filepath=archive, repo="user_default", enable_on_install=True, overwrite=True
)
bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
runs = importlib.import_module(f"{PACKAGE}.jobs.reconstruction")
steps = runs.ReconstructionRun(Path(photo)).steps(0.05)
while True:
    try:
        next(steps)
    except StopIteration as end:
        outcome = end.value
        break
rigged = patch(outcome.rigged)
with tempfile.TemporaryDirectory() as folder:
    rigged.save(Path(folder, "head.npz"))
    build = importlib.import_module(f"{PACKAGE}.scene.build")
    person = build.build_person(bpy.context, rigged, outcome.loaded)
    for image in bpy.data.images:
        image.filepath = f"//{Path(photo).name}"
    blend = Path(folder, "head.blend")
    bpy.data.libraries.write(str(blend), {person.collection})
    without_path(blend)
    Path(f"{name}.blend").write_bytes(blend.read_bytes())
    arrays = np.load(Path(folder, "head.npz"), allow_pickle=False)
    np.savez_compressed(f"{name}.npz", **arrays)
importlib.import_module(f"{PACKAGE}.jobs.session").close()
sys.stdout.flush()
os._exit(0)
