"""What mpv and libplacebo make of the shader files in tests/shader/files, and of Anime4K: for tests/kizunashader/conformance.rs.

    python3 shaders.py WHEELS FOLDER [PACKAGES]

FOLDER gets, for each case, NAME.raw (the frame that goes in) and NAME.rgb (what is shown), a line in cases.txt (name, GStreamer's
format, size in, size out, colorimetry, chroma site, frames, shader-params, shaders), and Anime4K's mode A out of its wheel.
PACKAGES is where placebo.py finds libplacebo. The environment variable KIZUNA_ANIME4K names a folder with Anime4K's files as its
authors lay them out, for the modes that no wheel holds. What is not to be had makes lines of absent.txt, NAME: REASON.

`cargo xtask test` runs this with FOLDER target/reference/shaders. By hand, after it, with Anime4K's files in anime4k/:

    KIZUNA_ANIME4K=anime4k python3 tests/reference/shaders.py target/wheels target/all target/reference/placebo
    KIZUNA_SHADER_REFERENCE=$PWD/target/all cargo test --test kizunashader pictures_are -- --nocapture
"""
import json
import math
import os
import re
import sys
import zipfile
from pathlib import Path

import mpv
import placebo

WIDTH, HEIGHT = 80, 46
FILES = Path(__file__).resolve().parent.parent / "shader/files"
ANIME4K = "anime4k_python/shaders/Anime4K_ModeA.glsl"

# mpv's name, GStreamer's, samples of chroma for each of luma
FORMATS = {
    "yuv444p": ("Y444", (1, 1)),
    "yuv420p": ("I420", (2, 2)),
    "yuv420p10": ("I420_10LE", (2, 2)),
    "gbrp": ("GBR", (1, 1)),
}

# What mpv renders: shader, format, factor of the output.
CASES = [
    ("none", "yuv444p", 2),
    ("none", "yuv420p", 1),
    ("none", "yuv420p10", 2),
    ("none", "gbrp", 0.7),
    ("luma", "yuv444p", 1),
    ("luma", "yuv420p10", 1),
    ("chroma", "yuv420p", 1),
    ("chroma_align", "yuv420p", 1),
    ("chroma_scaled", "yuv420p", 2),
    ("chroma_scaled", "yuv444p", 1),
    ("native", "yuv444p", 2),
    ("saved", "yuv444p", 1),
    ("saved", "gbrp", 2),
    ("double", "yuv444p", 2),
    ("double", "yuv444p", 1),
    ("offset", "yuv444p", 2),
    ("offset", "yuv420p", 2),
    ("offset", "yuv420p", 3),
    ("texture", "yuv444p", 1),
    ("compute", "yuv444p", 2),
    ("compute", "gbrp", 2),
    ("gather", "yuv420p", 1),
    ("kernels", "yuv444p", 2),
    ("skipped", "yuv444p", 1),
    ("rgb", "gbrp", 2),
    ("globals", "yuv444p", 2),
    ("Anime4K_ModeA", "yuv444p", 2),
    ("Anime4K_ModeA", "yuv420p", 2),
    ("Anime4K_ModeA", "yuv444p", 3),
    ("Anime4K_ModeB", "yuv444p", 2),
    ("Anime4K_ModeB", "yuv420p", 2),
    ("Anime4K_ModeB", "yuv444p", 3),
    ("Anime4K_ModeC", "yuv444p", 2),
    ("Anime4K_ModeC", "yuv420p", 2),
    ("Anime4K_ModeC", "yuv444p", 3),
]

# What Debian 12's mpv refuses, and libplacebo renders: shader, format, factor of the output, frames, values of parameters.
PLACEBO = [
    ("params", "gbrp", 1, 1, {}),
    ("params", "gbrp", 2, 1, {"gain": 1.25, "lift": -0.25, "order": 0, "BANDS": 16}),
    ("params", "gbrp", 2, 1, {"wanted": 0}),
    ("enums", "gbrp", 1, 1, {}),
    ("enums", "gbrp", 2, 1, {"mode": 1}),
    ("enums", "yuv444p", 1, 1, {"mode": 2}),
    ("tuned", "gbrp", 2, 1, {}),
    ("tuned", "yuv444p", 1, 1, {"shape": 1, "taps": 1, "shrink": 2.5, "rounds": 2, "shift": 3}),
    ("tuned", "gbrp", 1, 1, {"shape": 2, "taps": 3, "shrink": 1, "rounds": 1, "shift": 0}),
    ("storage", "gbrp", 1, 1, {}),
    ("storage", "yuv444p", 2, 2, {}),
    ("kept", "gbrp", 1, 1, {}),
    ("kept", "gbrp", 1, 4, {}),
    ("kept", "yuv444p", 2, 3, {}),
    ("counted", "gbrp", 1, 3, {}),
    ("light", "gbrp", 2, 1, {}),
    ("light", "yuv444p", 1, 1, {}),
    ("Anime4K_ModeA", "yuv444p", 2, 1, {}),
    ("Anime4K_ModeB", "yuv444p", 2, 1, {}),
    ("Anime4K_ModeC", "yuv444p", 2, 1, {}),
]

# The authors' own modes for fast computers.
END = ("AutoDownscalePre_x2", "AutoDownscalePre_x4", "Upscale_CNN_x2_M")
ANIME4K_MODES = {
    "Anime4K_ModeB": ("Clamp_Highlights", "Restore_CNN_Soft_VL", "Upscale_CNN_x2_VL", *END),
    "Anime4K_ModeC": ("Clamp_Highlights", "Upscale_Denoise_CNN_x2_VL", *END),
}


def sample(x, y, channel, chroma):
    """A picture with lines, slopes and flat areas, 0..1."""
    ring = math.sin(40 * math.hypot(x - 0.5, y - 0.5))
    line = 0.1 if (x * 3.5 + y * 7) % 1 < 0.12 else 1.0
    if chroma:
        return 0.5 + 0.35 * math.sin(9 * x + 4 * channel) * math.cos(7 * y - channel) * (0.6 + 0.4 * line)
    flat = 0.5 if x > 0.7 and y > 0.6 else 0.55 + 0.3 * ring
    return (flat, x, (1 - y) * 0.8)[channel] * line


def frame(name):
    _, (across, down) = FORMATS[name]
    is_yuv, high = name.startswith("yuv"), name.endswith("10")
    data = bytearray()
    for plane in range(3):
        is_chroma = is_yuv and plane > 0
        width, height = (WIDTH // across, HEIGHT // down) if is_chroma else (WIDTH, HEIGHT)
        for y in range(height):
            for x in range(width):
                value = sample((x + 0.5) / width, (y + 0.5) / height, plane, is_chroma)
                low, span = ((16, 224) if is_chroma else (16, 219)) if is_yuv else (0, 255)
                code = (low + span * value) * (4 if high else 1)
                code = max(0, min(1023 if high else 255, round(code)))
                data += code.to_bytes(2, "little") if high else bytes([code])
    return bytes(data)


def shaders_of(shader, folder):
    """A case's files; none of them if one is not here."""
    if shader == "none":
        return []
    if shader in ANIME4K_MODES:
        authors = Path(os.environ.get("KIZUNA_ANIME4K") or folder / "none").resolve()
        return [next(authors.rglob(f"Anime4K_{name}.glsl"), None) for name in ANIME4K_MODES[shader]]
    return [folder / f"{shader}.glsl" if shader == "Anime4K_ModeA" else FILES / f"{shader}.glsl"]


def with_values(text, values):
    """The file with other defaults, as libplacebo is not told values here. A choice's default is what stands first."""
    for name, value in values.items():
        block = re.compile(rf"(//!PARAM {name}\n(?://!.*\n)*)((?:[^/\n].*\n)+)")
        header, body = block.search(text).groups()
        words = body.split()
        if "ENUM" in header:
            words.insert(0, words.pop(value))
        else:
            words = [str(value)]
        text = text.replace(header + body, header + "\n".join(words) + "\n")
    return text


class Cases:
    """Jobs for mpv and libplacebo, and what the test has to know of them."""

    def __init__(self, folder):
        self.folder, self.lines, self.absent = folder, [], []

    def job(self, name, shader, pixels, factor, frames=1, values=()):
        """What is to be rendered; none if a file is not here."""
        files = shaders_of(shader, self.folder)
        if None in files:
            self.absent.append(f"{name}: KIZUNA_ANIME4K names no folder with Anime4K's files")
            return None
        width, height = round(WIDTH * factor), round(HEIGHT * factor)
        (self.folder / f"{name}.raw").write_bytes(frame(pixels))
        colour = ("bt709", "mpeg2") if pixels.startswith("yuv") else ("sRGB", "none")
        params = ",".join(["params", *(f"{key}={value}" for key, value in dict(values).items())])
        shaders = ":".join(map(str, files)) or "none"
        self.lines.append(" ".join(map(str, (
            name, FORMATS[pixels][0], WIDTH, HEIGHT, width, height, *colour, frames, params, shaders))))
        return {
            "frame": str(self.folder / f"{name}.raw"), "format": pixels, "width": WIDTH, "height": HEIGHT,
            "out_width": width, "out_height": height, "matrix": "bt.709", "range": "limited", "chroma": "left",
            "shaders": list(map(str, files)), "output": str(self.folder / f"{name}.rgb"),
        }

    def for_mpv(self):
        for shader, pixels, factor in CASES:
            if job := self.job(f"{shader}-{pixels}-{factor}", shader, pixels, factor):
                # Else mpv moves by whole pixels alone what needs no scaling.
                yield {**job, "options": {"cscale": "catmull_rom", "scaler-resizes-only": "no"}}

    def for_placebo(self, is_here):
        for shader, pixels, factor, frames, values in PLACEBO:
            name = "-".join(["placebo", shader, pixels, f"{factor}", f"{frames}", *(f"{k}={v}" for k, v in values.items())])
            if not is_here:
                self.absent.append(f"{name}: there is no libplacebo with Mesa's lavapipe")
            elif job := self.job(name, shader, pixels, factor, frames, values):
                if values:
                    changed = self.folder / f"{name}.glsl"
                    changed.write_text(with_values(Path(job["shaders"][0]).read_text(), values))
                    job["shaders"] = [str(changed)]
                yield {**job, "frames": frames}


def main():
    wheels, folder, *packages = map(Path, sys.argv[1:])
    packages = packages[0] if packages else None
    folder.mkdir(parents=True, exist_ok=True)
    (wheel,) = wheels.glob("anime4k_python-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder / "Anime4K_ModeA.glsl").write_bytes(archive.read(ANIME4K))

    cases = Cases(folder)
    by_mpv = list(cases.for_mpv())
    by_placebo = list(cases.for_placebo(packages is not None))
    reports = [*mpv.run_jobs(by_mpv), *placebo.run_jobs(by_placebo, packages)]
    for report in reports:
        if not report["ok"]:
            sys.exit(f"{report['output']}: {json.dumps(report)}")
    (folder / "cases.txt").write_text("".join(f"{line}\n" for line in cases.lines))
    (folder / "absent.txt").write_text("".join(f"{line}\n" for line in cases.absent))


main()
