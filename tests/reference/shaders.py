"""What mpv makes of the shader files in tests/shader/files, and of Anime4K: for tests/kizunashader/conformance.rs.

    python3 shaders.py WHEELS FOLDER

FOLDER gets, for each case, NAME.raw (the frame that goes in) and NAME.rgb (what mpv shows), a line in cases.txt (name, GStreamer's
format, size in, size out, colorimetry, chroma site, shader), and Anime4K's shader out of its wheel.
"""
import json
import math
import sys
import zipfile
from pathlib import Path

import mpv

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

# shader, format, factor of the output
CASES = [
    ("none", "yuv444p", 2),
    ("none", "yuv420p", 1),
    ("none", "yuv420p10", 2),
    ("none", "gbrp", 0.7),
    ("luma", "yuv444p", 1),
    ("luma", "yuv420p10", 1),
    ("chroma", "yuv420p", 1),
    ("chroma_align", "yuv420p", 1),
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
]


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


def main():
    wheels, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    (wheel,) = wheels.glob("anime4k_python-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder / "Anime4K_ModeA.glsl").write_bytes(archive.read(ANIME4K))

    jobs, lines = [], []
    for shader, pixels, factor in CASES:
        name = f"{shader}-{pixels}-{factor}"
        out = (round(WIDTH * factor), round(HEIGHT * factor))
        (folder / f"{name}.raw").write_bytes(frame(pixels))
        path = folder / f"{shader}.glsl" if shader.startswith("Anime4K") else FILES / f"{shader}.glsl"
        is_yuv = pixels.startswith("yuv")
        jobs.append({
            "frame": str(folder / f"{name}.raw"), "format": pixels, "width": WIDTH, "height": HEIGHT,
            "out_width": out[0], "out_height": out[1], "matrix": "bt.709", "range": "limited", "chroma": "left",
            "shaders": [] if shader == "none" else [str(path)],             # Else mpv moves by whole pixels alone what needs no scaling.
            "options": {"cscale": "catmull_rom", "scaler-resizes-only": "no"},
            "output": str(folder / f"{name}.rgb"),
        })
        colour = ("bt709", "mpeg2") if is_yuv else ("sRGB", "none")
        fields = (name, FORMATS[pixels][0], WIDTH, HEIGHT, *out, *colour, "none" if shader == "none" else path)
        lines.append(" ".join(map(str, fields)))
    for job, report in zip(jobs, mpv.run_jobs(jobs)):
        if not report["ok"]:
            sys.exit(f"{job['output']}: {json.dumps(report)}")
    (folder / "cases.txt").write_text("\n".join(lines) + "\n")


main()
