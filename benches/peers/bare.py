"""An engine alone, without a pipeline around it: the same frames one after the other.

    bare.py ENGINE MODEL CLIP WIDTH HEIGHT HELD FRAMES PRECISION RESULT     ENGINE: openvino, onnxruntime
"""

import sys

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


def main(engine, model, clip, width, height, held, frames, precision, result):
    width, height, held, frames = int(width), int(height), int(held), int(frames)
    pictures = measure.pictures(clip, held, height, width)
    clock = measure.Clock(frames, result, pictures.nbytes)
    infer = {"openvino": openvino, "onnxruntime": onnxruntime}[engine](model, (1, 3, height, width), precision)
    for n in range(frames):
        infer(pictures[n % held][None])
        clock.frame()


if __name__ == "__main__":
    main(*sys.argv[1:])
