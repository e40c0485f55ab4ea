"""What others reach on the same GPU with the same network and tensor.

    peers.py torch MODEL WIDTH HEIGHT FRAMES [PICTURE RESULT]   PyTorch: fp16, channels last, one CUDA graph, the tensor stays on the device
    peers.py naive MODEL WIDTH HEIGHT FRAMES                    ONNX Runtime's CUDA provider as it comes: fp32, one stream, host tensors

Prints frames per second. PICTURE is float32 planes (3 x HEIGHT x WIDTH), and what becomes of it is written to RESULT the same way.
The network is the ONNX file itself, node by node, so that nobody wonders whether it is another one.
"""

import sys
import time

import numpy as np

WARM_UP = 10


def attributes(node):
    import onnx

    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def torch_network(path, device, kind):
    """The graph of an ONNX file as a function of torch tensors."""
    import onnx
    import torch
    import torch.nn.functional as f

    graph = onnx.load(path).graph
    host = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    host |= {n.output[0]: onnx.numpy_helper.to_array(attributes(n)["value"]) for n in graph.node if n.op_type == "Constant"}
    weights = {
        name: torch.from_numpy(value.copy()).to(device, kind)
        for name, value in host.items()
        if value.dtype == np.float32
    }
    weights = {n: w.to(memory_format=torch.channels_last) if w.dim() == 4 else w for n, w in weights.items()}

    def conv(x, w, b=None, pads=(0, 0, 0, 0), strides=(1, 1), group=1, dilations=(1, 1), **_):
        top, left, bottom, right = pads
        if (top, left) != (bottom, right):
            x, top, left = f.pad(x, (left, right, top, bottom)), 0, 0
        return f.conv2d(x, w, b, stride=tuple(strides), padding=(top, left), groups=group, dilation=tuple(dilations))

    def resize(x, scales, mode):
        assert mode == b"nearest", mode
        return f.interpolate(x, scale_factor=tuple(float(s) for s in scales[2:]), mode="nearest")

    def pad(x, pads, mode=b"constant"):
        assert list(pads[:2]) == [0, 0] and list(pads[4:6]) == [0, 0]
        modes = {b"constant": "constant", b"edge": "replicate", b"reflect": "reflect"}
        return f.pad(x, [int(pads[i]) for i in (3, 7, 2, 6)], mode=modes[mode])

    def run(picture):
        values = {graph.input[0].name: picture, **weights}
        for node in graph.node:
            at = attributes(node)
            given = [values.get(name) for name in node.input]
            fixed = [host.get(name) for name in node.input]
            match node.op_type:
                case "Constant":
                    continue
                case "Conv":
                    out = conv(*given, **at)
                case "PRelu":
                    out = f.prelu(given[0], given[1].reshape(-1))
                case "Relu":
                    out = f.relu(given[0])
                case "LeakyRelu":
                    out = f.leaky_relu(given[0], at.get("alpha", 0.01))
                case "Neg":
                    out = -given[0]
                case "Add":
                    out = given[0] + given[1]
                case "Mul":
                    out = given[0] * given[1]
                case "Concat":
                    out = torch.cat(given, at["axis"])
                case "DepthToSpace":
                    assert at.get("mode", b"DCR") == b"CRD"
                    out = f.pixel_shuffle(given[0], at["blocksize"])
                case "Resize":
                    out = resize(given[0], fixed[2], at["mode"])
                case "Pad":
                    out = pad(given[0], fixed[1], at.get("mode", b"constant"))
                case other:
                    sys.exit(f"peers.py does not know the operator {other}")
            values[node.output[0]] = out
        return values[graph.output[0].name]

    return run


def with_torch(path, width, height, frames, files):
    import torch

    torch.backends.cudnn.benchmark = True
    network = torch_network(path, "cuda", torch.float16)
    if files:
        picture = np.fromfile(files[0], np.float32).reshape(1, 3, height, width)
    else:
        picture = np.random.default_rng(1).random((1, 3, height, width), np.float32)
    still = torch.from_numpy(picture).to("cuda", torch.float16, memory_format=torch.channels_last)
    with torch.inference_mode():
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                network(still)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = network(still)
        graph.replay()
        torch.cuda.synchronize()
        if files:
            result.float().contiguous().cpu().numpy().tofile(files[1])
        begun = time.perf_counter()
        for _ in range(frames):
            graph.replay()
        torch.cuda.synchronize()
        return frames / (time.perf_counter() - begun)


def naive(path, width, height, frames):
    import onnxruntime as ort

    session = ort.InferenceSession(path, providers=["CUDAExecutionProvider"])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        sys.exit("this onnxruntime has no CUDA provider")
    name = session.get_inputs()[0].name
    picture = np.random.default_rng(1).random((1, 3, height, width), np.float32)
    for _ in range(3):
        session.run(None, {name: picture})
    begun = time.perf_counter()
    for _ in range(frames):
        session.run(None, {name: picture})
    return frames / (time.perf_counter() - begun)


def main():
    peer, path, width, height, frames, *files = sys.argv[1:]
    width, height, frames = int(width), int(height), int(frames)
    if peer == "torch":
        rate = with_torch(path, width, height, frames, files)
    else:
        rate = naive(path, width, height, frames)
    print(f"{rate:.1f}")


if __name__ == "__main__":
    main()
