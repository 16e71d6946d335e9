"""One step of a small policy, as other libraries do it: weights `[in, out]` and biases `[out]`, ELU between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .peers import installed

Floats = NDArray[np.float32]
Layers = list[tuple[Floats, Floats]]


def policy_peers(layers: Layers, row: Floats, compiled: bool) -> tuple[dict[str, Callable[[], object]], list[str]]:
    """Return calls of the policy on `row [1, O]` by name, and what was left out because it is not installed.

    `compiled`: numba, which has to compile first, is among them.
    """
    peers = {"torch-eager": _torch_policy(layers, row)}
    if compiled:
        peers["numba"] = _numba_policy(layers, row)
    if installed("onnxruntime") and installed("onnx"):
        return {**peers, "onnxruntime": _onnx_policy(layers, row)}, []
    return peers, ["learn/policy onnxruntime: not installed (pip install onnx onnxruntime)"]


def _torch_policy(layers: Layers, row: Floats) -> Callable[[], object]:
    tensors = [tuple(map(torch.from_numpy, layer)) for layer in layers]
    rows = torch.from_numpy(row)

    def step() -> object:
        with torch.inference_mode():
            x = rows
            for weight, bias in tensors[:-1]:
                x = torch.nn.functional.elu(torch.addmm(bias, x, weight), inplace=True)
            return torch.addmm(tensors[-1][1], x, tensors[-1][0])

    return step


def _numba_policy(layers: Layers, row: Floats) -> Callable[[], object]:
    """One compiled loop, fast-math and vectorised over the outputs of a layer."""
    import numba

    def dense_loop(x: Floats, weight: Floats, bias: Floats, out: Floats, hidden: bool) -> None:
        out[:] = bias
        for i in range(len(x)):
            for j in range(len(out)):
                out[j] += x[i] * weight[i, j]
        if hidden:
            for j in range(len(out)):
                out[j] = out[j] if out[j] > 0 else np.exp(out[j]) - np.float32(1.0)

    dense: Callable[..., None] = numba.njit(fastmath=True)(dense_loop)

    def loops(x: Floats, w0: Floats, b0: Floats, w1: Floats, b1: Floats, w2: Floats, b2: Floats, y: Floats) -> None:
        first, second = np.empty_like(b0), np.empty_like(b1)
        dense(x, w0, b0, first, True)
        dense(first, w1, b1, second, True)
        dense(second, w2, b2, y, False)

    forward: Callable[..., None] = numba.njit(fastmath=True)(loops)
    flat = [array for layer in layers for array in layer]
    x, out = row[0], np.empty_like(flat[-1])
    return lambda: forward(x, *flat, out)


def _onnx_policy(layers: Layers, row: Floats) -> Callable[[], object]:
    """A graph of Gemm and Elu on one thread."""
    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    nodes, constants, previous = [], [], "x"
    for i, (weight, bias) in enumerate(layers):
        constants += [numpy_helper.from_array(weight, f"w{i}"), numpy_helper.from_array(bias, f"b{i}")]
        nodes.append(helper.make_node("Gemm", [previous, f"w{i}", f"b{i}"], [f"y{i}"]))
        previous = f"y{i}"
        if i + 1 < len(layers):
            nodes.append(helper.make_node("Elu", [previous], [f"h{i}"]))
            previous = f"h{i}"
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, width])
        for name, width in (("x", row.shape[1]), (previous, len(layers[-1][1])))
    ]
    graph = helper.make_graph(nodes, "policy", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": row})
