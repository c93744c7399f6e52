# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the original mediapipe 0.10.21: ``python mediapipe_oracle.py IN.npz OUT.npz``.

A process of its own, since the package loads half of the scientific stack. IN: images ``i0``,
``i1``... (H, W, 3) uint8 RGB, and ``canonical_face``'s arrays. OUT for each image: ``static<n>``
and ``video<n>`` (faces, 478, 3), landmarks of static mode and of the second frame of video mode;
``person<n>`` (H, W), the selfie segmentation's mask; ``plain<n>``, ``pose<n>``, ``metric<n>``:
landmarks (468, 3) of the model without attention, and the pose (4, 4) and vertices (468, 3) in
centimetres that the Face Geometry calculators make of them. Landmarks are in pixels.
"""

from __future__ import annotations

import os
import sys

import mediapipe
import numpy as np
from google.protobuf import text_format
from mediapipe.framework import calculator_pb2
from mediapipe.python import packet_creator, packet_getter
from mediapipe.python._framework_bindings import resource_util
from mediapipe.python._framework_bindings.calculator_graph import CalculatorGraph
from mediapipe.python._framework_bindings.image_frame import ImageFormat
from mediapipe.tasks.cc.vision.face_geometry.calculators import (
    env_generator_calculator_pb2,
    geometry_pipeline_calculator_pb2,
)
from mediapipe.tasks.cc.vision.face_geometry.proto import (
    face_geometry_pb2,
    geometry_pipeline_metadata_pb2,
)

GRAPH = """
input_stream: "image"
node { calculator: "ConstantSidePacketCalculator"
  output_side_packet: "PACKET:0:num_faces" output_side_packet: "PACKET:1:attention"
  node_options { [type.googleapis.com/mediapipe.ConstantSidePacketCalculatorOptions] {
    packet { int_value: 1 } packet { bool_value: false } } } }
node { calculator: "FaceLandmarkFrontCpu" input_stream: "IMAGE:image"
  input_side_packet: "NUM_FACES:num_faces" input_side_packet: "WITH_ATTENTION:attention"
  output_stream: "LANDMARKS:landmarks" }
node { calculator: "ImagePropertiesCalculator" input_stream: "IMAGE:image"
  output_stream: "SIZE:size" }
node { calculator: "mediapipe.tasks.vision.face_geometry.FaceGeometryEnvGeneratorCalculator"
  output_side_packet: "ENVIRONMENT:environment"
}
node { calculator: "mediapipe.tasks.vision.face_geometry.FaceGeometryPipelineCalculator"
  input_side_packet: "ENVIRONMENT:environment"
  input_stream: "IMAGE_SIZE:size" input_stream: "MULTI_FACE_LANDMARKS:landmarks"
  output_stream: "MULTI_FACE_GEOMETRY:geometry" }
"""


def pixels(landmarks, image) -> np.ndarray:
    """A landmark list in pixels; MediaPipe scales z with the width, as x."""
    height, width = image.shape[:2]
    return np.array([(p.x * width, p.y * height, p.z * width) for p in landmarks.landmark])


def mesh(image: np.ndarray, *, static: bool) -> np.ndarray:
    """Landmarks by the documented interface; in video mode those of the second frame."""
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=static, refine_landmarks=True, max_num_faces=4
    ) as solution:
        for _ in range(1 if static else 2):
            result = solution.process(image)
    return np.array([pixels(face, image) for face in result.multi_face_landmarks or []])


def person(image: np.ndarray) -> np.ndarray:
    """The mask (H, W) of people, 0..1."""
    with mediapipe.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0) as solution:
        return solution.process(image).segmentation_mask


def geometry(image: np.ndarray, metadata: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks, pose and metric vertices by the Face Geometry calculators."""
    config = text_format.Parse(GRAPH, calculator_pb2.CalculatorGraphConfig())
    scene = env_generator_calculator_pb2.FaceGeometryEnvGeneratorCalculatorOptions()
    scene.environment.origin_point_location = 2  # TOP_LEFT_CORNER
    scene.environment.perspective_camera.vertical_fov_degrees = 63.0
    scene.environment.perspective_camera.near = 1.0
    scene.environment.perspective_camera.far = 10000.0
    config.node[-2].node_options.add().Pack(scene)
    options = geometry_pipeline_calculator_pb2.FaceGeometryPipelineCalculatorOptions()
    options.metadata_file.file_content = metadata
    config.node[-1].node_options.add().Pack(options)
    graph = CalculatorGraph(graph_config=config)
    seen = {}
    for stream in ("landmarks", "geometry"):
        graph.observe_output_stream(
            stream, lambda name, packet: seen.update({name: packet_getter.get_proto_list(packet)})
        )
    graph.start_run()
    packet = packet_creator.create_image_frame(image_format=ImageFormat.SRGB, data=image)
    graph.add_packet_to_input_stream("image", packet.at(1))
    graph.close_all_packet_sources()
    graph.wait_until_done()
    face = face_geometry_pb2.FaceGeometry.FromString(seen["geometry"][0].SerializeToString())
    matrix = face.pose_transform_matrix
    pose = np.array(matrix.packed_data).reshape(4, 4, order="F" if matrix.layout == 0 else "C")
    vertices = np.array(face.mesh.vertex_buffer).reshape(-1, 5)[:, :3]
    return pixels(seen["landmarks"][0], image), pose, vertices


def metadata_message(data) -> bytes:
    """The geometry metadata from our converted arrays."""
    metadata = geometry_pipeline_metadata_pb2.GeometryPipelineMetadata()
    metadata.input_source = 1  # FACE_LANDMARK_PIPELINE
    vertices = np.concatenate([data["vertices"], data["uv"]], axis=1)
    metadata.canonical_mesh.vertex_type = 0  # VERTEX_PT
    metadata.canonical_mesh.primitive_type = 0  # TRIANGLE
    metadata.canonical_mesh.vertex_buffer.extend(vertices.ravel().tolist())
    metadata.canonical_mesh.index_buffer.extend(data["triangles"].ravel().tolist())
    for point in np.flatnonzero(data["weights"]):
        metadata.procrustes_landmark_basis.add(
            landmark_id=int(point), weight=float(data["weights"][point])
        )
    return metadata.SerializeToString()


def main() -> None:
    """Reads IN, writes OUT."""
    resource_util.set_resource_dir(os.path.dirname(os.path.dirname(mediapipe.__file__)))
    data = np.load(sys.argv[1], allow_pickle=False)
    message = metadata_message(data)
    out = {}
    for n in range(sum(name[0] == "i" and name[1:].isdigit() for name in data.files)):
        image = data[f"i{n}"]
        out[f"static{n}"] = mesh(image, static=True)
        out[f"video{n}"] = mesh(image, static=False)
        out[f"person{n}"] = person(image)
        if len(out[f"static{n}"]):
            out[f"plain{n}"], out[f"pose{n}"], out[f"metric{n}"] = geometry(image, message)
    np.savez(sys.argv[2], **out)


if __name__ == "__main__":
    main()
