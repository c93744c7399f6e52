# SPDX-License-Identifier: GPL-3.0-or-later
"""Time and memory of face detection and landmarks, beside a yardstick taken in the same run.

Time: best and median of repeated calls, warm, and the best as a multiple of one 1000 x 1000
float32 matrix product. Memory: peak of all Python and numpy memory that a call allocates
(tracemalloc), beside the photo's own bytes. Processor time says what the wall clock cannot while
other work runs on the machine.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from core.cues.mediapipe import MediaPipePredictor

ROOT = Path(__file__).resolve().parents[1]


def measured(call: Callable[[], object], repeats: int) -> tuple[float, float, float]:
    """Best and median wall milliseconds, best processor milliseconds."""
    wall, processor = [], []
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
    return min(wall) * 1e3, float(np.median(wall)) * 1e3, min(processor) * 1e3


def peak(call: Callable[[], object]) -> float:
    """Megabytes that a call holds at most."""
    tracemalloc.start()
    call()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    """Prints the table."""
    photo = cv2.imread(str(ROOT / "examples" / "astronaut.jpg"))[..., ::-1]
    photo = np.ascontiguousarray(photo)
    large = cv2.resize(photo[:384], (4000, 3000), interpolation=cv2.INTER_CUBIC)
    tiny = np.full((3000, 4000, 3), 110, np.uint8)
    tiny[2200:2415, 3100:3315] = cv2.resize(photo, (215, 215), interpolation=cv2.INTER_AREA)
    turned = np.ascontiguousarray(np.rot90(photo))
    square = np.random.default_rng(0).random((1000, 1000), np.float32)
    predictor = MediaPipePredictor()
    best, median, processor = measured(lambda: square @ square, 20)
    yardstick = best
    print(f"{'':44}{'best':>9}{'median':>9}{'cpu':>9}{'/ matmul':>10}{'peak':>8}{'photo':>7}")
    print(f"{'1000 x 1000 float32 product':44}{best:6.0f} ms{median:6.0f} ms{processor:6.0f} ms")
    load = peak(lambda: predictor.faces(photo))
    rows: list[tuple[str, np.ndarray, Callable[[], object], int]] = [
        ("512 x 512: detect", photo, lambda: predictor.detect(photo), 20),
        ("512 x 512: detect, 1 pass", photo, lambda: plain(predictor, photo), 20),
        ("512 x 512: detect, 3 passes, mirror", photo, lambda: predictor.faces(photo), 20),
        ("512 x 512 on its side, the same", turned, lambda: predictor.faces(turned), 10),
        ("12 megapixels, the same", large, lambda: predictor.faces(large), 5),
        ("12 megapixels, face of 40 pixels, the same", tiny, lambda: predictor.faces(tiny), 2),
    ]
    for name, image, call, repeats in rows:
        best, median, processor = measured(call, repeats)
        print(
            f"{name:44}{best:6.0f} ms{median:6.0f} ms{processor:6.0f} ms{best / yardstick:10.1f}"
            f"{peak(call):5.0f} MB{image.nbytes / 1e6:4.0f} MB"
        )
    print(f"Loading the nets and a first call hold {load:.0f} MB at most.")


def plain(predictor: MediaPipePredictor, photo: np.ndarray) -> object:
    """The original's static mode."""
    return predictor.faces(photo, passes=1, flip_average=False)


if __name__ == "__main__":
    main()
