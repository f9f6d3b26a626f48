"""The helper process that owns dlib, which would hold the interpreter lock of the application while it loads.

``python -m engine.dlib_process`` loads the models, says so, and then answers requests on its standard input until that
closes. Framing, little endian: every message starts with ``HEADER``: kind, then height, width and channels of a uint8
picture (zeros without one), then the number of int32 values that follow the pixels. The text of READY and of PROBLEM
messages is UTF-8 in place of the picture, 1 x n x 1.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import struct
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np

from engine.arrays import ByteArray, IntArray

HEADER = struct.Struct("<BIIII")
READY, DETECT, PREDICT, PROBLEM = 1, 2, 3, 4
SCORE_UNIT = 1e-4
"""Detector scores travel as whole multiples of this."""

_MODEL_PACKAGE = "face_recognition_models"
_MODEL_FILE = "shape_predictor_68_face_landmarks.dat"
_MAX_BYTES = 200_000_000  # a frame beyond this is garbage, not a picture


def send(stream: IO[bytes], kind: int, picture: ByteArray | None, values: IntArray) -> None:
    """Write one message: picture (H, W, C) uint8 or None, values int32 of any shape."""
    height, width, channels = (0, 0, 0) if picture is None else picture.shape
    stream.write(HEADER.pack(kind, height, width, channels, values.size))
    if picture is not None:
        stream.write(np.ascontiguousarray(picture).data)
    stream.write(values.astype("<i4").tobytes())
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[int, ByteArray, IntArray]:
    """Read one message: kind, picture (H, W, C) uint8, values (n,) int32.

    Raises:
        EOFError: the other side is gone.
        ValueError: this is no message.
    """
    kind, height, width, channels, count = HEADER.unpack(_exactly(stream, HEADER.size))
    if height * width * channels + 4 * count > _MAX_BYTES:
        raise ValueError("not a message of the helper process")
    picture = np.frombuffer(_exactly(stream, height * width * channels), np.uint8).reshape(height, width, channels)
    values = np.frombuffer(_exactly(stream, 4 * count), "<i4").astype(np.int32)
    return kind, picture, values


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError("the other process is gone")
    return data


def _model_folder() -> Path | None:
    """Where the 68-point model lies, found without importing its package (whose import fails)."""
    spec = importlib.util.find_spec(_MODEL_PACKAGE)
    places = list(spec.submodule_search_locations or ()) if spec else []
    folders = [Path(place) / "models" for place in places]
    return next((folder for folder in folders if (folder / _MODEL_FILE).is_file()), None)


class Worker:
    """dlib's detector and predictor, each None where it could not be loaded."""

    def __init__(self) -> None:
        self.detector: Any = None
        self.predictor: Any = None
        self.problem = ""
        try:
            self._dlib = importlib.import_module("dlib")
        except ImportError as error:
            self.problem = f"dlib is not installed ({error})"
            return
        self.detector = self._dlib.get_frontal_face_detector()
        folder = _model_folder()
        if folder is None:
            self.problem = f"the package {_MODEL_PACKAGE} is not installed"
            return
        os.chdir(folder)  # dlib opens files by narrow-character paths only: a bare name is safe in any folder
        try:
            self.predictor = self._dlib.shape_predictor(_MODEL_FILE)
        except RuntimeError as error:
            self.problem = f"{_MODEL_FILE} is damaged ({error})"

    def detect(self, picture: ByteArray, upsample: int) -> IntArray:
        """Boxes (n, 5) int32: left, top, right, bottom, score in SCORE_UNIT; none without a detector."""
        if self.detector is None:
            return np.zeros((0, 5), np.int32)
        boxes, scores, _ = self.detector.run(_for_dlib(picture), upsample, 0.0)
        rows = [
            (box.left(), box.top(), box.right(), box.bottom(), round(score / SCORE_UNIT))
            for box, score in zip(boxes, scores, strict=True)
        ]
        return np.array(rows, np.int32).reshape(-1, 5)

    def predict(self, picture: ByteArray, boxes: IntArray) -> IntArray:
        """Points (n, 68, 2) int32 px for boxes (n, 4); none without a predictor."""
        if self.predictor is None:
            return np.zeros((0, 68, 2), np.int32)
        pixels = _for_dlib(picture)
        shapes = [self.predictor(pixels, self._dlib.rectangle(*(int(edge) for edge in box))) for box in boxes]
        return np.array([[(point.x, point.y) for point in shape.parts()] for shape in shapes], np.int32)


def _for_dlib(picture: ByteArray) -> ByteArray:
    """Grey pictures lose their third axis."""
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """Load, report READY with two flags (detector, predictor) and the problem's text, then answer until the end."""
    worker = Worker()
    flags = np.array([worker.detector is not None, worker.predictor is not None], np.int32)
    send(replies, READY, _text(worker.problem), flags)
    while True:
        try:
            kind, picture, values = receive(requests)
        except EOFError:
            return
        try:
            if kind == DETECT:
                answer = worker.detect(picture, int(values[0]))
            else:
                answer = worker.predict(picture, values.reshape(-1, 4))
        except (RuntimeError, ValueError, TypeError) as error:  # what dlib raises for odd pictures and boxes
            send(replies, PROBLEM, _text(str(error)), np.zeros(0, np.int32))
        else:
            send(replies, kind, None, answer)


def _text(sentence: str) -> ByteArray | None:
    data = np.frombuffer(sentence.encode(), np.uint8)
    return data.reshape(1, -1, 1) if len(data) else None


def main() -> int:
    """Entry of the helper process; 0 when the other side closed the connection or went away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the application, which then closes this
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints must not land between the replies
    try:
        serve(sys.stdin.buffer, replies)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), replies.fileno())  # so that the flush on the way out is quiet
    return 0


if __name__ == "__main__":
    sys.exit(main())
