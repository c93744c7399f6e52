# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies as other programs bring them: the same person, in bones of many names, axes and units."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Matrix, Vector

#: In Blender's scene, metres: the face looks along -Y, the left is +X. Bone -> (head, parent).
BONES = {
    "hips": ((0, 0.01, 0.95), None),
    "spine": ((0, 0.015, 1.2), "hips"),
    "neck": ((0, 0.03, 1.46), "spine"),
    "head": ((0, 0.005, 1.55), "neck"),
    "eye_l": ((0.032, -0.075, 1.63), "head"),
    "eye_r": ((-0.032, -0.075, 1.63), "head"),
    "arm_l": ((0.18, 0.02, 1.42), "spine"),
    "arm_r": ((-0.18, 0.02, 1.42), "spine"),
    "foot_l": ((0.1, 0.03, 0.1), "hips"),
    "foot_r": ((-0.1, 0.03, 0.1), "hips"),
    "toe_l": ((0.1, -0.1, 0.03), "foot_l"),
    "toe_r": ((-0.1, -0.1, 0.03), "foot_r"),
}
CROWN = (0.0, 0.0, 1.80)


@dataclass(frozen=True)
class Kind:
    """names: of the bones above, in their order, "" for one that it has not; turn: from the scene's
    axes to the armature's own (Euler angles, degrees); unit: of its lengths in a metre; tail: where
    bones point in the armature's axes, None: up as the body; applied: the object has neither
    rotation nor scale, so that the body lies in the scene as in its data.
    """

    names: str
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0)
    unit: float = 1.0
    tail: tuple[float, float, float] | None = None
    applied: bool = False


Y_UP = (-90.0, 0.0, 0.0)
KINDS = {
    "mixamo": Kind(
        "mixamorig:Hips mixamorig:Spine2 mixamorig:Neck mixamorig:Head mixamorig:LeftEye "
        "mixamorig:RightEye mixamorig:LeftArm mixamorig:RightArm mixamorig:LeftFoot "
        "mixamorig:RightFoot mixamorig:LeftToeBase mixamorig:RightToeBase",
        Y_UP, 100.0),
    "mixamo, one word, no eyes": Kind(
        "mixamorigHips mixamorigSpine2 mixamorigNeck mixamorigHead - - mixamorigLeftArm "
        "mixamorigRightArm mixamorigLeftFoot mixamorigRightFoot mixamorigLeftToeBase "
        "mixamorigRightToeBase", Y_UP, 100.0),
    "maya": Kind("root_jnt spine_jnt neck_jnt head_jnt L_eye_jnt R_eye_jnt L_arm_jnt R_arm_jnt "
                 "L_foot_jnt R_foot_jnt L_toe_jnt R_toe_jnt", Y_UP, 100.0, (1, 0, 0)),
    "unity": Kind("Hips Chest Neck Head LeftEye RightEye LeftUpperArm RightUpperArm LeftFoot "
                  "RightFoot LeftToes RightToes", Y_UP, 1.0, (0, 0, 1)),
    "unreal": Kind("pelvis spine_05 neck_01 head eye_l eye_r upperarm_l upperarm_r foot_l foot_r "
                   "ball_l ball_r", (0, 0, 90), 100.0, (0, 1, 0)),
    "vrm": Kind("J_Bip_C_Hips J_Bip_C_UpperChest J_Bip_C_Neck J_Bip_C_Head J_Adj_L_FaceEye "
                "J_Adj_R_FaceEye J_Bip_L_UpperArm J_Bip_R_UpperArm J_Bip_L_Foot J_Bip_R_Foot "
                "J_Bip_L_ToeBase J_Bip_R_ToeBase"),
    "biped": Kind("Bip001|Bip001 Spine1|Bip001 Neck|Bip001 Head|-|-|Bip001 L UpperArm|"
                  "Bip001 R UpperArm|Bip001 L Foot|Bip001 R Foot|Bip001 L Toe0|Bip001 R Toe0",
                  (0, 0, 180), 39.37, (1, 0, 0)),
    "daz": Kind("hip chestUpper neckLower head lEye rEye lShldrBend rShldrBend lFoot rFoot lToe "
                "rToe", Y_UP, 100.0, (0, 1, 0)),
    "mmd": Kind("センター 上半身 首 頭 左目 右目 左腕 右腕 左足首 右足首 左つま先 右つま先",
                (0, 0, 0), 12.5),
    "character creator": Kind(
        "CC_Base_Hip CC_Base_Spine02 CC_Base_NeckTwist01 CC_Base_Head CC_Base_L_Eye CC_Base_R_Eye "
        "CC_Base_L_Upperarm CC_Base_R_Upperarm CC_Base_L_Foot CC_Base_R_Foot CC_Base_L_ToeBase "
        "CC_Base_R_ToeBase", (0, 0, 30), 1.0, (0, 0, 1)),
    "x is up": Kind("hips chest neck head eye.L eye.R arm.L arm.R foot.L foot.R toe.L toe.R",
                    (0, 90, 0), 1.0, (0, 1, 0)),
    "rigify's deform bones": Kind(
        "DEF-spine DEF-spine.003 DEF-spine.004 DEF-spine.006 - - DEF-upper_arm.L DEF-upper_arm.R "
        "DEF-foot.L DEF-foot.R DEF-toe.L DEF-toe.R"),
    "mpfb, no sides": Kind("root spine01 neck01 head - - - - - - - -"),
    "Y up, no sides": Kind("Hips Spine Neck Head - - - - - - - -", Y_UP, 100.0),
    "lying": Kind("Hips Spine Neck Head LeftEye RightEye LeftArm RightArm LeftFoot RightFoot "
                  "LeftToe RightToe", Y_UP, 1.0, None, True),
    "turned and applied": Kind(
        "Hips Spine Neck Head eye.l eye.r arm.l arm.r foot.l foot.r toe.l toe.r",
        (0, 0, 135), 1.0, None, True),
}  # fmt: skip


@dataclass(frozen=True)
class Body:
    """The armature, its skin, the names of its bones by ours, and what is true of it: the scene's
    rotation from an upright body that looks along -Y, and world length of the head.
    """

    rig: bpy.types.Object
    skin: bpy.types.Object
    bones: dict[str, str]
    turn: np.ndarray
    tall: float

    def at(self, joint: str) -> np.ndarray:
        """World place of a joint at rest."""
        bone = self.rig.data.bones[self.bones[joint]]
        return np.array(self.rig.matrix_world @ bone.head_local)


def make_body(kind: Kind, place: Matrix | None = None, *, skinned: bool = True) -> Body:
    """A body of a kind; place (4, 4): moved, turned and scaled by an artist afterwards."""
    turn = Euler(np.radians(kind.turn)).to_matrix()
    names = kind.names.split("|") if "|" in kind.names else kind.names.split()
    bones = {ours: name for ours, name in zip(BONES, names, strict=True) if name != "-"}

    def own(point) -> Vector:
        return kind.unit * (turn @ Vector(point))

    rig = bpy.data.objects.new("stranger", bpy.data.armatures.new("stranger"))
    bpy.context.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for ours, name in bones.items():
        head, parent = BONES[ours]
        bone = rig.data.edit_bones.new(name)
        bone.head = own(head)
        way = turn @ Vector((0, 0, 1)) if kind.tail is None else Vector(kind.tail)
        bone.tail = bone.head + kind.unit * (0.25 if ours == "head" else 0.1) * way
        bone.parent = rig.data.edit_bones[bones[parent]] if parent else None
    bpy.ops.object.mode_set(mode="OBJECT")
    back = Matrix() if kind.applied else turn.to_4x4().inverted() @ Matrix.Scale(1 / kind.unit, 4)
    place = place or Matrix()
    rig.matrix_world = place @ back
    skin = bpy.data.objects.new("skin", bpy.data.meshes.new("skin"))
    if skinned:
        points = [BONES["head"][0], CROWN, (0.07, 0, 1.7), (0, -0.1, 1.6), (0, 0, 1.2)]
        skin.data.from_pydata([own(p) for p in points], [], [(0, 1, 2), (0, 1, 3)])
        skin.vertex_groups.new(name=bones["head"]).add([0, 1, 2, 3], 1.0, "REPLACE")
        skin.vertex_groups.new(name=bones["spine"]).add([4], 1.0, "REPLACE")
        skin.modifiers.new("Armature", "ARMATURE").object = rig
        bpy.context.collection.objects.link(skin)
        skin.parent = rig
    bpy.context.view_layer.update()
    moved = rig.matrix_world.to_3x3() @ turn
    lengths = np.linalg.norm(np.array(moved), axis=0)
    tall = kind.unit * float(lengths.mean()) * (CROWN[2] - BONES["head"][0][2])
    return Body(rig, skin, bones, np.array(moved) / lengths, tall)
