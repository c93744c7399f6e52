# SPDX-License-Identifier: GPL-3.0-or-later
"""Six joints, skin weights, joint regressor and pose correctives of the open head.

Skinning is linear blend skinning as in SMPL/FLAME (Loper et al. 2015, section 3): correctives are
added to the rest shape before the blended joint transforms are applied.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import nnls
from scipy.sparse import coo_matrix, diags

from .expressions import GAZE_NAMES, Expressions, rotation_matrix
from .mesh import HeadMesh
from .source import Source
from .topology import face_edges

JOINT_NAMES = ("root", "neck", "head", "jaw", "eye_l", "eye_r")
PARENTS = (-1, 0, 1, 2, 2, 2)
_MIRRORED_JOINTS = [0, 1, 2, 3, 5, 4]
ROOT, NECK, HEAD, JAW, EYE_L, EYE_R = range(6)

# Which share of each neck bone's weight goes to which joint; all other bones follow an ancestor.
_NECK_BONES = {
    "neck01": {ROOT: 0.4, NECK: 0.6},
    "neck02": {NECK: 1.0},
    "neck03": {NECK: 0.5, HEAD: 0.5},
}
_SMOOTHING_STEPS = 12


def joint_centres(source: Source) -> dict[int, np.ndarray]:
    """Base-mesh vertices whose mean is the joint in MakeHuman's own rig, for neck, head and jaw."""
    cubes = {NECK: "joint-neck", HEAD: "joint-head", JAW: "joint-mouth"}
    return {joint: source.group_vertices(name) for joint, name in cubes.items()}


def _joint_shares(bone: str, parents: dict[str, str]) -> dict[int, float]:
    step = bone
    while step:
        if step == "jaw":
            return {JAW: 1.0}
        if step == "head":
            return {HEAD: 1.0}
        if step in _NECK_BONES:
            return _NECK_BONES[step]
        step = parents.get(step, "")
    return {ROOT: 1.0}


def skin_weights(source: Source, mesh: HeadMesh) -> np.ndarray:
    """(V, 6) weights: MakeHuman's 163 bones gathered onto six joints, smoothed along the neck."""
    gathered = np.zeros((len(source.positions), len(JOINT_NAMES)))
    for bone, pairs in source.bone_weights.items():
        shares = _joint_shares(bone, source.bone_parents)
        for vertex, weight in pairs:
            for joint, share in shares.items():
                gathered[int(vertex), joint] += weight * share
    weights = np.zeros((len(mesh.positions), len(JOINT_NAMES)))
    own = mesh.mh_index >= 0
    weights[own] = gathered[mesh.mh_index[own]]
    for part, joint in (
        ("teeth_upper", HEAD),
        ("teeth_lower", JAW),
        ("eyeball_l", EYE_L),
        ("eyeball_r", EYE_R),
    ):
        weights[mesh.spans[part]] = np.eye(len(JOINT_NAMES))[joint]
    skin = mesh.spans["skin"]
    weights[skin] = _smooth_neck(weights[skin], mesh.base_faces())
    weights /= weights.sum(axis=1, keepdims=True)
    return (weights + weights[mesh.mirror][:, _MIRRORED_JOINTS]) / 2


def _smooth_neck(weights: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Diffuse root, neck and head over the mesh; the jaw keeps its painted weights."""
    edges = face_edges(faces)[0]
    n = len(weights)
    links = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    links = ((links + links.T) > 0).astype(float)
    average = diags(1 / np.asarray(links.sum(axis=1)).ravel()) @ links
    weights = weights / weights.sum(axis=1, keepdims=True)
    column = [ROOT, NECK, HEAD]
    share = weights[:, column]
    still = 1 - weights[:, JAW : JAW + 1]
    for _ in range(_SMOOTHING_STEPS):
        share = 0.5 * share + 0.5 * (average @ share)
        share *= still / np.maximum(share.sum(axis=1, keepdims=True), 1e-12)
    result = weights.copy()
    result[:, column] = share
    return result


def joint_regressor(
    mesh: HeadMesh, template: np.ndarray, heads: np.ndarray, joints: dict[int, np.ndarray]
) -> np.ndarray:
    """(6, V) weights, non-negative on the skin, rows summing to one, so that J = R @ vertices.

    Args:
        mesh: the head.
        template: (V, 3) the mean head.
        heads: (n, V, 3) sampled heads.
        joints: for NECK, HEAD, JAW the (n, 3) joint positions of the same heads.

    The root is the mean of the neck boundary; each eye joint is the exact centre of its eyeball;
    the others are fitted (non-negative least squares with a small ridge) to the joints of
    MakeHuman's rig over the sampled heads.

    """
    regressor = np.zeros((len(JOINT_NAMES), len(template)))
    regressor[ROOT, mesh.neck_loop] = 1 / len(mesh.neck_loop)
    for side, joint in (("l", EYE_L), ("r", EYE_R)):
        regressor[joint, mesh.spans[f"eyeball_{side}"]] = _ball_centre_weights(mesh, side)
    skin = np.arange(mesh.spans["skin"].stop)
    for joint, positions in joints.items():
        target = positions.mean(axis=0)
        distance = np.linalg.norm(template[skin] - target, axis=1)
        near = np.argsort(distance, kind="stable")[:150]
        chosen = np.unique(np.concatenate([near, skin[::5]]))
        chosen = np.unique(np.concatenate([chosen, mesh.mirror[chosen]]))
        half = chosen[chosen <= mesh.mirror[chosen]]
        # Midline joints: vertex pairs share a weight, so only y and z need fitting.
        pairs = (heads[:, half] + heads[:, mesh.mirror[half]])[..., 1:] / 2 - target[1:]
        rows = pairs.transpose(0, 2, 1).reshape(-1, len(half))
        wanted = (positions - target)[:, 1:].ravel()
        ridge = 1e-3 * np.eye(len(half))
        sum_to_one = np.full((1, len(half)), 10.0)
        solution, _ = nnls(
            np.concatenate([rows, ridge, sum_to_one]),
            np.concatenate([wanted, np.zeros(len(half)), [10.0]]),
        )
        solution[solution < 1e-3] = 0
        solution /= 2 * solution.sum()
        np.add.at(regressor[joint], half, solution)
        np.add.at(regressor[joint], mesh.mirror[half], solution)
    return regressor


def _ball_centre_weights(mesh: HeadMesh, side: str) -> np.ndarray:
    """Weights on the sphere's part of the eyeball whose combination is its centre.

    Full rings keep x and y at the centre by symmetry; two blocks of rings, one in front of and one
    behind the equator, are balanced in z.
    """
    span = mesh.spans[f"eyeball_{side}"]
    ring = mesh.eye_ring[span]
    z = mesh.positions[span, 2]
    back_pole = z.argmin()
    radius = np.ptp(mesh.positions[span, 0]) / 2
    z = (z - z[back_pole]) / radius - 1
    front = (ring > 0) & (z > 0.1) & (z < 0.8)
    back = (z < -0.1) & (ring < ring.max())
    a, b = z[front].mean(), z[back].mean()
    weights = np.zeros(len(z))
    weights[front] = -b / (a - b) / front.sum()
    weights[back] = a / (a - b) / back.sum()
    return weights


def pose_correctives(
    template: np.ndarray, weights: np.ndarray, regressor: np.ndarray, shapes: Expressions
) -> np.ndarray:
    """(V, 3, 45) metres per unit of (R_j - I), row-major, joints neck, head, jaw, eye_l, eye_r.

    Jaw: the sine of the opening angle drives what plain skinning lacks of the sculpted jawOpen, so
    that turning the jaw joint and setting the slider agree.  Eyes: the lids follow the gaze, linear
    in the sine alone; an additional cosine term fits up and down exactly but folds the lids when
    looking up and sideways at once.
    """
    result = np.zeros((len(template), 3, 9 * (len(JOINT_NAMES) - 1)))
    pitch, yaw = 3 * 2 + 1, 3 * 0 + 2  # (R - I)[2, 1] = sin about x, (R - I)[0, 2] = sin about y

    rotation = rotation_matrix(shapes.jaw_open_rotvec)
    centre = regressor[JAW] @ template
    share = weights[:, JAW, None]
    skinned = share * ((template - centre) @ rotation.T + centre - template)
    blend = np.eye(3) + share[..., None] * (rotation - np.eye(3))
    lacking = np.linalg.solve(blend, (shapes["jawOpen"] - skinned)[..., None])[..., 0]
    result[:, :, 9 * (JAW - 1) + pitch] = lacking / np.sin(shapes.jaw_open_rotvec[0])

    angle = dict(zip(GAZE_NAMES, shapes.gaze_rotvec, strict=True))
    for side, joint in (("Left", EYE_L), ("Right", EYE_R)):
        for ends, axis, column in ((("Up", "Down"), 0, pitch), (("In", "Out"), 1, yaw)):
            names = [f"eyeLook{end}{side}" for end in ends]
            sines = [np.sin(angle[n][axis]) for n in names]
            follow = sum(s * shapes[n] for s, n in zip(sines, names, strict=True))
            result[:, :, 9 * (joint - 1) + column] = follow / sum(s * s for s in sines)
    return result
