"""The same network under other runtimes, where they are installed: torch.compile, ONNX Runtime, OpenVINO.

They are no part of the program. ``pip install onnx onnxruntime openvino`` brings them into the table.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.packs.facescape.checkpoint import GeneratorShape

Weights = dict[str, torch.Tensor]


def installed(*modules: str) -> bool:
    """Whether all of these can be imported; torch.compile, which needs none, wants a C++ compiler."""
    return (bool(modules) or shutil.which("g++") is not None) and all(
        importlib.util.find_spec(name) is not None for name in modules
    )


def onnx_file(weights: Weights, shape: GeneratorShape, folder: Path) -> Path:
    """The network as an ONNX file with its weights beside it; nodes in the order of the layers."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes: list[Any] = []
    constants: list[Any] = []
    names: set[str] = set()

    def constant(name: str, value: np.ndarray) -> str:
        if name not in names:
            names.add(name)
            constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, inputs: list[str], **attributes: Any) -> str:
        result = f"x{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [result], **attributes))
        return result

    def reflected(x: str, width: int) -> str:
        pads = constant(f"pad{width}", np.array([0, 0, width, width] * 2, np.int64))
        return node("Pad", [x, pads], mode="reflect")

    def convolved(x: str, key: str, kind: str = "Conv", **attributes: Any) -> str:
        parts = [constant(f"{key}.{part}", weights[f"{key}.{part}"].numpy()) for part in ("weight", "bias")]
        return node(kind, [x, *parts], **attributes)

    def normalised(x: str, channels: int) -> str:
        one = constant(f"one{channels}", np.ones(channels, np.float32))
        zero = constant(f"zero{channels}", np.zeros(channels, np.float32))
        return node("InstanceNormalization", [x, one, zero], epsilon=1e-5)

    def whole(x: str, key: str, channels: int, kind: str = "Conv", **attributes: Any) -> str:
        return node("Relu", [normalised(convolved(x, key, kind, **attributes), channels)])

    channels = shape.width
    x = whole(reflected("picture", 3), "model.1", channels)
    row = 4
    for _ in range(shape.down):
        channels *= 2
        x = whole(x, f"model.{row}", channels, strides=[2, 2], pads=[1, 1, 1, 1])
        row += 3
    for _ in range(shape.blocks):
        inner = whole(reflected(x, 1), f"model.{row}.conv_block.1", channels)
        inner = normalised(convolved(reflected(inner, 1), f"model.{row}.conv_block.5"), channels)
        x = node("Add", [x, inner])
        row += 1
    for _ in range(shape.down):
        channels //= 2
        settings = {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}
        x = whole(x, f"model.{row}", channels, "ConvTranspose", **settings)
        row += 3
    x = node("Tanh", [convolved(reflected(x, 3), f"model.{row + 1}")])
    graph = helper.make_graph(
        nodes,
        "generator",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, shape.input_channels, 1024, 1024])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, [1, 1, 1024, 1024])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.save_model(model, str(folder / "network.onnx"), save_as_external_data=True)
    return folder / "network.onnx"


def onnxruntime_way(weights: Weights, shape: GeneratorShape, pictures: np.ndarray) -> Callable[[], np.ndarray]:
    """Run the network in ONNX Runtime with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(
            str(onnx_file(weights, shape, Path(folder))), options, providers=["CPUExecutionProvider"]
        )
    return lambda: np.asarray(session.run(None, {"picture": pictures})[0])[:, 0]


def openvino_way(weights: Weights, shape: GeneratorShape, pictures: np.ndarray, kind: str) -> Callable[[], np.ndarray]:
    """Run the network in OpenVINO; ``kind``: precision of its arithmetic, 'f32' or 'bf16'."""
    import openvino

    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "INFERENCE_PRECISION_HINT": kind}
    folder = tempfile.TemporaryDirectory()
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(onnx_file(weights, shape, Path(folder.name))), "CPU", settings)
    request = compiled.create_infer_request()

    def call() -> np.ndarray:
        assert folder  # the weights' file lives as long as the network
        return np.array(request.infer({0: pictures})[0][:, 0])

    return call


def compiled_way(module: torch.nn.Module, source: torch.Tensor) -> Callable[[], np.ndarray]:
    """Run torch's modules through torch.compile; the first call compiles."""
    compiled = torch.compile(module)

    def call() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(compiled(source).float().numpy()[:, 0])

    return call
