"""How good kizunashader's pictures are, x2, against ground truth; how calm a held shot becomes; how sharp a moving edge stays.

    quality.py PLUGIN_FOLDER WORK_FOLDER

Ground truth: three scenes of Debian's renpy-thequestion, three drawings of synfig-examples rendered by synfig. Input: its area average,
clean and through x264 (crf 23, preset medium, tune animation, yuv420p). Needs ffmpeg, synfig, gst-launch-1.0 and numpy.
"""
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ART = Path("/usr/share/games/renpy/the_question/game/images")
DRAWINGS = Path("/usr/share/doc/synfig-examples/examples")
WIDTH, HEIGHT = 768, 576
LUMA = np.array([0.2126, 0.7152, 0.0722])

# backdrop, sprites and their left edges, corner of the crop
SCENES = {
    "club": ("bg club.jpg", [("sylvie blue normal.png", 470)], (256, 20)),
    "meadow": ("bg meadow.jpg", [("sylvie green smile.png", 400)], (256, 60)),
    "lecture": ("bg lecturehall.jpg", [("sylvie blue surprised.png", 300), ("sylvie green giggle.png", 620)], (256, 100)),
}
# file, width that it is rendered in, corner of the crop
RENDERS = {
    "kid": ("prologue_kid.sif", 1152, (200, 60)),
    "pirates": ("pirates.sif", 1920, (620, 400)),
    "macwolf": ("macwolfen.sif", 1440, (400, 350)),
}


def run(command, data=None):
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def picture(path):
    """RGBA of a picture file."""
    size = run(["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", str(path)])
    width, height = map(int, size.split(b"\n")[0].split(b",")[:2])
    raw = run(["ffmpeg", "-v", "error", "-i", str(path), "-pix_fmt", "rgba", "-f", "rawvideo", "-frames:v", "1", "-"])
    return np.frombuffer(raw, np.uint8).reshape(height, width, 4)


def crop(image, corner):
    x, y = corner
    return np.ascontiguousarray(image[y:y + HEIGHT, x:x + WIDTH, :3])


def scene(backdrop, sprites, corner):
    image = picture(ART / backdrop)[..., :3].astype(float)
    for name, left in sprites:
        sprite = picture(ART / name).astype(float)
        height, width = sprite.shape[:2]
        below = image[720 - height:, left:left + width]
        alpha = sprite[..., 3:] / 255
        below[:] = below * (1 - alpha) + sprite[..., :3] * alpha
    return crop(np.round(image).astype(np.uint8), corner)


def render(work, name, width, corner):
    out = work / f"{Path(name).stem}.png"
    if not out.exists():
        run(["synfig", "-q", "-T", "1", "--time", "48f", "-w", str(width), str(DRAWINGS / name), "-o", str(out)])
    return crop(picture(out), corner)


def halved(image):
    parts = image.reshape(HEIGHT // 2, 2, WIDTH // 2, 2, 3).astype(float)
    return np.floor(parts.mean((1, 3)) + 0.5).astype(np.uint8)


def through_x264(frames, options):
    """Frames as yuv420p that came out of x264."""
    height, width = frames[0].shape[:2]
    video = run(
        ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", "24", "-i", "-",
         "-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic+accurate_rnd+full_chroma_int", "-pix_fmt", "yuv420p",
         "-colorspace", "bt709", "-color_range", "tv", "-c:v", "libx264", "-preset", "medium", *options, "-f", "matroska", "-"], b"".join(f.tobytes() for f in frames))
    return run(["ffmpeg", "-v", "error", "-f", "matroska", "-i", "-", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"], video)


class Element:
    """An element of ours by gst-launch-1.0; it doubles the size."""

    def __init__(self, plugins, work, name="kizunashader"):
        self.work, self.name = work, name
        self.environment = {**os.environ, "GST_PLUGIN_PATH": str(plugins), "GST_REGISTRY": str(work / "registry.bin")}

    def __call__(self, properties, raw, pixels, count, width=WIDTH // 2, height=HEIGHT // 2):
        source, sink = self.work / "in.raw", self.work / "out.raw"
        source.write_bytes(raw)
        colour = "sRGB" if pixels == "rgb" else "bt709"
        line = (f"filesrc location={source} blocksize={len(raw) // count} ! rawvideoparse width={width} height={height} format={pixels} "
                f"colorimetry={colour} framerate=24/1 ! {self.name} {properties} ! "
                f"video/x-raw,format=RGB,width={2 * width},height={2 * height} ! filesink location={sink}")
        subprocess.run(["gst-launch-1.0", "-q", *line.split()], env=self.environment, check=True)
        return np.fromfile(sink, np.uint8).reshape(count, 2 * height, 2 * width, 3)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a @ LUMA - b @ LUMA) ** 2))


def ssim(a, b):
    """Wang et al. 2004, on luma: Gaussian of 11 px, sigma 1.5."""
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    kernel /= kernel.sum()

    def blurred(x):
        for axis in (0, 1):
            x = np.apply_along_axis(lambda row: np.convolve(row, kernel, "valid"), axis, x)
        return x

    a, b = a @ LUMA, b @ LUMA
    ma, mb = blurred(a), blurred(b)
    va, vb, vab = blurred(a * a) - ma * ma, blurred(b * b) - mb * mb, blurred(a * b) - ma * mb
    c1, c2 = 6.5025, 58.5225
    return np.mean((2 * ma * mb + c1) * (2 * vab + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))


METHODS = {
    "Lanczos3": "stages=0",
    "Anime4K M": "stages=upscale quality=balanced",
    "Anime4K VL": "stages=upscale quality=high",
    "fast": "quality=fast",
    "balanced": "quality=balanced",
    "high": "quality=high",
}


# without the fifth stage, and with it
STABILIZE = ("normalize+structure+upscale+enhance", "normalize+structure+upscale+enhance+stabilize")


def pictures(shader, truths):
    inputs = [halved(truth) for truth in truths]
    coded = [through_x264([image], ["-crf", "23", "-tune", "animation"]) for image in inputs]
    print("| luma, mean of six frames | clean, dB | SSIM | crf 23, dB | SSIM |\n|---|--:|--:|--:|--:|")
    for name, properties in METHODS.items():
        cells = []
        for sources, pixels in ((map(np.ndarray.tobytes, inputs), "rgb"), (coded, "i420")):
            # Each by itself, so that nothing is held over from another.
            made = [shader(properties, raw, pixels, 1)[0] for raw in sources]
            cells.append(np.mean([psnr(m, t) for m, t in zip(made, truths)]))
            cells.append(np.mean([ssim(m, t) for m, t in zip(made, truths)]))
        print("| {} | {:.2f} | {:.4f} | {:.2f} | {:.4f} |".format(name, *cells), flush=True)


def held_shot(shader, truth):
    """Mean difference from frame to frame of a picture that stands still, with the codec's noise in it."""
    rng = np.random.default_rng(1)
    still = halved(truth).astype(float)
    print("\n| held shot, 24 frames through x264 | flicker, codes | stabilized | less |\n|---|--:|--:|--:|")
    for grain, options in ((3, ["-crf", "23"]), (5, ["-crf", "18"]), (3, ["-crf", "20", "-g", "12"])):
        frames = [np.clip(still + rng.normal(0, grain, still.shape), 0, 255).astype(np.uint8) for _ in range(24)]
        raw = through_x264(frames, options)
        flicker = []
        for stages in STABILIZE:
            made = shader(f"stages={stages}", raw, "i420", len(frames)) @ LUMA
            flicker.append(np.abs(np.diff(made[4:], axis=0)).mean())
        print("| grain {}, {} | {:.3f} | {:.3f} | {:.0f} % |".format(grain, " ".join(options), *flicker, 100 - 100 * flicker[1] / flicker[0]))


def moving_edge(shader):
    """The steepest slope of a dark edge that moves by 3 px a frame over a bright ground."""
    width, height, count = 192, 64, 12
    frames = []
    for i in range(count):
        x = np.arange(width) + 0.5 - 40 - 3 * i
        row = 60 + 140 * np.clip(x / 1.5 + 0.5, 0, 1)
        frames.append(np.repeat(np.repeat(row.astype(np.uint8)[None, :, None], height, 0), 3, 2))
    raw = b"".join(frame.tobytes() for frame in frames)
    slopes = []
    for stages in STABILIZE:
        made = shader(f"stages={stages}", raw, "rgb", count, width, height) @ LUMA
        slopes.append(np.abs(np.diff(made[4:, height], axis=1)).max(1).mean())
    print(f"moving edge: slope {slopes[0]:.2f} -> {slopes[1]:.2f} codes a px ({100 * (slopes[1] / slopes[0] - 1):+.1f} %)")


def ground_truths(work):
    truths = [scene(*parts) for parts in SCENES.values()]
    return truths + [render(work, *parts) for parts in RENDERS.values()]


def main():
    plugins, work = map(Path, sys.argv[1:])
    work.mkdir(parents=True, exist_ok=True)
    truths = ground_truths(work)
    shader = Element(plugins, work)
    pictures(shader, truths)
    held_shot(shader, truths[0])
    moving_edge(shader)


if __name__ == "__main__":
    main()
