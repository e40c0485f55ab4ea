#!/usr/bin/env python3
"""Training pictures for the `fast` Upscale, in luma: drawings, and scenes made of the art of Debian's renpy-demo.

    pictures.py OUT.npz [--drawings 480] [--scenes 360]

OUT.npz holds `full`, n pictures of 512x512, and four ways to halve them: `area` (area average), `sharp` (bicubic or
Lanczos), `coded23` (area average through x264 at crf 23) and `coded` (through x264 at another crf). `scene` tells
scenes from drawings; those `held_out` are for validation.
"""
import argparse
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

FULL = 512
MARGIN = 48  # around what is kept, so that x264 can be shown a pan
SIZE = FULL + 2 * MARGIN
FINER = 4  # drawings are made this many times as large

ART = Path("/usr/share/games/renpy/demo/game/images")
SPRITES = ["eileen concerned", "eileen vhappy", "eileen happy", "lucy mad", "lucy happy", "logo base", "logo bw"]
CONCERTS = ["concert1.png", "concert2.png", "concert3.png"]
# The concerts have most detail, hence twice.
BACKDROPS = ["bg cave.jpg", "bg washington.jpg", "bg whitehouse.jpg", "imagemap ground.png", *CONCERTS, *CONCERTS]
TRUETYPE = Path("/usr/share/fonts/truetype")
FONTS = sorted([*TRUETYPE.glob("dejavu/*.ttf"), *TRUETYPE.glob("roboto/unhinted/**/*.ttf")])

LUMA = np.array([0.2126, 0.7152, 0.0722])
MAIN_CRF, OTHER_CRFS = 23, (18, 21, 25, 28)
SHARP_CRF = 21  # this one codes `sharp`, the others `area`

RNG = np.random.default_rng(7)


# Chance

def between(low, high):
    return RNG.uniform(low, high)


def between_sizes(low, high):
    """Small ones as often as large ones."""
    return float(np.exp(RNG.uniform(np.log(low), np.log(high))))


def whole(low, high):
    """`high` excluded."""
    return int(RNG.integers(low, high))


def chance(probability):
    return RNG.random() < probability


def one_of(choices):
    return choices[whole(0, len(choices))]


def somewhere():
    return RNG.uniform(0, SIZE, 2)


def direction():
    angle = between(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def ink():
    return between(0, 60) if chance(0.8) else between(60, 255)


def nib():
    return between_sizes(0.6, 5)


# Curves: arrays of points (x, y)

def bezier(points, count=60):
    t = np.linspace(0, 1, count)[:, None]
    curve = np.asarray(points, float)[:, None]
    while len(curve) > 1:
        curve = curve[:-1] * (1 - t) + curve[1:] * t
    return curve[0]


def arc(start, end, bend):
    """`bend`: how far the thirds of the way lie off the straight line."""
    return bezier([start, start * 2 / 3 + end / 3 + bend[0], start / 3 + end * 2 / 3 + bend[1], end])


def across(vector):
    return np.array([-vector[1], vector[0]])


def ribbon(curve, widths):
    """The outline of a curve drawn that wide."""
    along = np.gradient(curve, axis=0)
    side = np.stack([-along[:, 1], along[:, 0]], 1)
    side *= widths[:, None] / 2 / (np.linalg.norm(side, axis=1, keepdims=True) + 1e-9)
    return np.vstack([curve + side, (curve - side)[::-1]])


def pressure(kind, count):
    """Of a pen along its stroke."""
    t = np.linspace(0, 1, count)
    return {
        "even": lambda: np.ones(count),
        "pointed": lambda: np.sin(np.pi * t) ** 0.7,
        "trailing": lambda: (1 - t) ** 0.7,
        "swelling": lambda: 0.4 + 0.6 * np.sin(np.pi * t),
        "uneven": lambda: 1 + 0.3 * np.sin(t * between(4, 14)),
    }[kind]()


def blob(centre, radius):
    """A closed shape: a polygon, or a smooth one with some sharp corners."""
    count = whole(3, 11)
    angles = np.sort(RNG.uniform(0, 2 * np.pi, count))
    radii = radius * RNG.uniform(0.35, 1.2, count)
    corners = centre + np.stack([radii * np.cos(angles), radii * np.sin(angles) * between(0.5, 1.3)], 1)
    if chance(0.25):
        return corners
    sides = []
    for i in range(count):
        before, start, end, after = (corners[(i + j) % count] for j in (-1, 0, 1, 2))
        smooth = 0 if chance(0.2) else between(0.1, 0.3)
        sides.append(bezier([start, start + (end - before) * smooth, end - (after - start) * smooth, end], 24)[:-1])
    return np.vstack(sides)


# Drawings

def noise(exponent):
    """A field of mean 0 and deviation 1 whose spectrum falls with frequency to the power of -`exponent`."""
    radius = np.hypot(np.fft.rfftfreq(SIZE)[None], np.fft.fftfreq(SIZE)[:, None])
    radius[0, 0] = 1
    spectrum = (RNG.normal(size=radius.shape) + 1j * RNG.normal(size=radius.shape)) / radius**exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (SIZE, SIZE))
    return field / field.std()


def gradient(shade, change, centre, length):
    """`shade` at `centre`, and `change` more `length` further in some direction."""
    x, y = direction() / length
    steps = np.arange(SIZE)
    return shade + change * ((steps - centre[0]) * x + ((steps - centre[1]) * y)[:, None])


def as_image(luma):
    return Image.fromarray(luma.clip(0, 255).round().astype(np.uint8))


class Canvas:
    """Places and widths are those of the picture; `image` is FINER times as large."""

    def __init__(self, ground):
        self.image = self.finer(ground)
        self.draw = ImageDraw.Draw(self.image)

    @staticmethod
    def finer(luma):
        return as_image(luma).resize((SIZE * FINER, SIZE * FINER), Image.BILINEAR)

    def polygon(self, points, shade):
        self.draw.polygon([tuple(point) for point in points * FINER], fill=int(np.clip(shade, 0, 255)))

    def disc(self, centre, radii, shade):
        low, high = (centre - radii) * FINER, (centre + radii) * FINER
        self.draw.ellipse([*low, *high], fill=int(shade))

    def stroke(self, curve, width, shade, kinds=("even", "pointed", "trailing", "swelling", "uneven")):
        widths = width * pressure(one_of(kinds), len(curve))
        self.polygon(ribbon(curve, np.maximum(widths, 0.025)), shade)

    def outline(self, shape, width, shade):
        """By a round nib, whose width changes some times on the way."""
        closed = np.vstack([shape, shape[:1]])
        turns = np.linspace(0, 2 * np.pi * whole(1, 5), len(closed)) + between(0, 6)
        widths = width * (1 + (0.35 * np.sin(turns) if chance(0.5) else 0 * turns))
        for start, end, size in zip(closed, closed[1:], widths):
            self.draw.line([*start * FINER, *end * FINER], fill=int(shade), width=max(1, round(size * FINER)))
            self.disc(start, np.full(2, size / 2), shade)

    def mask(self, shapes):
        mask = Image.new("L", self.image.size, 0)
        draw = ImageDraw.Draw(mask)
        for shape in shapes:
            draw.polygon([tuple(point) for point in shape * FINER], fill=255)
        return mask


def shadow(centre, radius):
    return blob(centre + RNG.uniform(-0.8, 0.8, 2) * radius, radius * between(0.3, 0.9))


def surface(canvas):
    """A flat region as in cel animation, often with a shadow or a gradient, and a line around it."""
    centre, radius, shade = somewhere(), between_sizes(10, 260), between(5, 255)
    shape = blob(centre, radius)
    canvas.polygon(shape, shade)
    if chance(0.3):
        shadows = [shadow(centre, radius) for _ in range(whole(1, 4))]
        darker = int(shade * between(0.55, 0.92))
        canvas.image.paste(darker, mask=ImageChops.darker(canvas.mask([shape]), canvas.mask(shadows)))
    elif chance(0.3):
        inside = gradient(shade, between(-70, 70), centre, 2 * radius)
        canvas.image.paste(canvas.finer(inside), mask=canvas.mask([shape]))
    if chance(0.75):
        canvas.outline(shape, nib(), ink())


def lines(canvas):
    for _ in range(whole(2, 14)):
        start, length = somewhere(), between_sizes(15, 300)
        canvas.stroke(arc(start, start + length * direction(), RNG.normal(0, length * 0.3, (2, 2))), nib(), ink())


def hair(canvas):
    """Strokes that run side by side."""
    start, end = somewhere(), somewhere()
    length = np.linalg.norm(end - start) + 1
    bend = RNG.normal(0, length * 0.25, (2, 2))
    count, gap = whole(5, 40), between(1.5, 9)
    shade, width = between(0, 200), between(0.6, 3.5)
    for i in range(count):
        shift = (i - count / 2) * gap * across(end - start) / length
        fan = between(0.2, 1.5)
        stray = RNG.normal(0, gap * 0.6, (4, 2))
        strand = arc(start + shift + stray[0], end + shift * fan * 0.8 + stray[3], bend + stray[1:3])
        canvas.stroke(strand, width * between(0.5, 1.5), shade + between(-40, 40), ("pointed", "trailing", "swelling"))


def hatching(canvas):
    start, along, length = somewhere(), direction(), between(15, 150)
    gap, shade = between(2.2, 14), ink()
    width = min(nib(), gap * 0.8)
    for i in range(whole(4, 30)):
        begin = start + across(along) * gap * i + along * between(-0.1, 0.1) * length
        middle = begin + along * length / 2 + across(along) * between(-0.03, 0.03) * length
        canvas.stroke(bezier([begin, middle, begin + along * length], 12), width, shade, ("even", "even", "pointed"))


def lettering(canvas):
    font = ImageFont.truetype(str(one_of(FONTS)), int(between_sizes(9, 60) * FINER))
    text = "".join(" " if chance(0.15) else chr(whole(33, 127)) for _ in range(whole(3, 24)))
    place = np.array([between(-0.1, 0.7), between(0, 1)]) * SIZE * FINER
    shade = int(between(150, 255) if chance(0.5) else between(0, 110))
    border = int(between(0, 3) * FINER) if chance(0.5) else 0
    canvas.draw.text(tuple(place), text, fill=shade, font=font, stroke_width=border, stroke_fill=255 - shade)


def facade(canvas):
    """A wall with rows of windows, turned and slanted."""
    place, size = somewhere(), RNG.uniform(20, 220, 2)
    angle = between(-0.4, 0.4) if chance(0.7) else 0
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, between(-0.3, 0.3)], [0, 1]])

    def pane(low, high, shade):
        corners = np.array([low, (high[0], low[1]), high, (low[0], high[1])]) * size
        canvas.polygon(corners @ slant @ turn + place, shade)

    pane((0, 0), (1, 1), between(20, 250))
    counts, frame, shade = RNG.integers(1, 9, 2), between(0.1, 0.45), between(0, 255)
    for i in np.ndindex(*counts):
        pane((i + np.array(frame)) / counts, (i + np.array(1 - frame * 0.3)) / counts, shade + between(-12, 12))


def discs(canvas):
    """Eyes, stars: some discs inside each other."""
    for _ in range(whole(1, 12)):
        centre, radius, height = somewhere(), between(1, 22), between(0.5, 1.6)
        for part in (1, 0.8, 0.45, 0.25)[:whole(1, 5)]:
            canvas.disc(centre + RNG.normal(0, radius * 0.1, 2), radius * part * np.array([1, height]), whole(0, 256))


def foliage(canvas):
    centre, radius, shade = somewhere(), between(20, 90), between(20, 180)
    for _ in range(whole(40, 260)):
        stem, leaf = centre + RNG.normal(0, radius * 0.6, 2), between(2, 14) * direction()
        middle = stem + leaf / 2 + RNG.normal(0, np.linalg.norm(leaf) * 0.3, 2)
        curve = bezier([stem, middle, stem + leaf], 8)
        canvas.stroke(curve, between(0.7, 4), shade + between(-60, 60), ("pointed", "trailing"))


# How often each is drawn.
THINGS = {
    surface: 0.34, lines: 0.18, hair: 0.12, hatching: 0.08, lettering: 0.08, facade: 0.08, discs: 0.06, foliage: 0.06,
}


def ground():
    kind = RNG.random()
    if kind < 0.4:
        return np.full((SIZE, SIZE), between(10, 255))
    if kind < 0.7:
        return gradient(between(40, 230), between(-60, 60), (0, 0), SIZE)
    return between(60, 200) + between(3, 35) * noise(between(1.2, 2.2))


def drawing():
    canvas = Canvas(ground())
    for thing in RNG.choice(list(THINGS), whole(14, 75), p=list(THINGS.values())):
        thing(canvas)
    image = canvas.image.reduce(FINER) if chance(0.7) else canvas.image.resize((SIZE, SIZE), Image.LANCZOS)
    if chance(0.35):
        image = image.filter(ImageFilter.GaussianBlur(between(0.3, 1.1)))
    luma = np.asarray(image, float)
    if chance(0.25):
        luma = luma + between(1, 8) * noise(between(0.6, 1.8))
    if chance(0.5):
        luma = between(0, 40) + luma * between(0.6, 0.98)
    return as_image(luma)


# Scenes

def scaled(image, scale):
    if scale > 0.97:
        return image
    size = int(image.width * scale), int(image.height * scale)
    return image.resize(size, Image.LANCZOS if chance(0.7) else Image.BOX)


def backdrop():
    image = Image.open(ART / one_of(BACKDROPS)).convert("RGBA")
    least = SIZE / min(image.size) + 0.005
    image = scaled(image, between(least, 1) if chance(0.6) else 1)
    x, y = whole(0, image.width - SIZE + 1), whole(0, image.height - SIZE + 1)
    return image.crop((x, y, x + SIZE, y + SIZE))


def sprite():
    """Somewhere on an empty layer."""
    image = Image.open(ART / f"{one_of(SPRITES)}.png").convert("RGBA")
    image = scaled(image, between(0.45, 1) if chance(0.6) else 1)
    if chance(0.5):
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    if chance(0.25):
        image = image.rotate(between(-40, 40), Image.BICUBIC, expand=True)
    layer = Image.new("RGBA", (SIZE, SIZE))
    x, y = whole(-image.width // 2, SIZE - image.width // 2), whole(-image.height // 2, SIZE - image.height // 3)
    layer.paste(image, (x, y))
    return layer


def scene():
    kind = RNG.random()
    image = backdrop() if kind < 0.72 else drawing().convert("RGBA")
    for _ in range(whole(1, 5) if kind > 0.4 else whole(0, 2)):
        image = Image.alpha_composite(image, sprite())
    # Other weights are other colours.
    weights = RNG.dirichlet([2, 4, 2]) if chance(0.3) else LUMA
    luma = np.asarray(image.convert("RGB"), float) @ weights
    if chance(0.3):
        luma = luma * between(0.6, 1) + between(0, 40)
    if chance(0.15):
        luma = 255 - luma
    image = as_image(luma)
    return image.filter(ImageFilter.GaussianBlur(between(0.3, 0.8))) if chance(0.15) else image


# Halving

def stacked(images):
    return np.stack([np.asarray(image) for image in images])


def halved(images, filters):
    """By each of the filters in turn."""
    half = SIZE // 2, SIZE // 2
    return stacked(image.resize(half, filters[i % len(filters)]) for i, image in enumerate(images))


def kept(pictures):
    """Without the margin."""
    margin = MARGIN * pictures.shape[1] // SIZE
    return pictures[:, margin:-margin, margin:-margin]


def pan(picture):
    """A clip of up to four frames, and which of them is kept: so it may be coded as an I, a P or a B frame."""
    count, side, margin = whole(1, 5), FULL // 2, MARGIN // 2
    chosen = whole(0, count)
    step = RNG.integers(-3, 4, 2) if chance(0.6) else np.zeros(2, int)
    places = [margin + step * (i - chosen) for i in range(count)]
    return [picture[y:y + side, x:x + side] for x, y in places], chosen


def ffmpeg(options, data):
    command = ["ffmpeg", "-v", "error", "-threads", "1", *options]
    return subprocess.run(command, input=data, check=True, stdout=subprocess.PIPE).stdout


def through_x264(pictures, crf):
    """In limited range, as films are."""
    frames, chosen = [], []
    for picture in pictures:
        clip, which = pan(picture)
        chosen.append(len(frames) + which)
        frames += clip
    side = FULL // 2
    grey = np.full(side * side // 2, 128, np.uint8).tobytes()
    limited = np.round(np.stack(frames) * (219 / 255) + 16).astype(np.uint8)
    raw = b"".join(frame.tobytes() + grey for frame in limited)
    video = ffmpeg(
        ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{side}x{side}", "-r", "24", "-i", "-", "-c:v", "libx264",
         "-threads", "1", "-preset", "medium", "-tune", "animation", "-crf", str(crf), "-f", "matroska", "-"], raw)
    luma = ffmpeg(["-f", "matroska", "-i", "-", "-vf", "extractplanes=y", "-f", "rawvideo", "-"], video)
    decoded = np.frombuffer(luma, np.uint8).reshape(-1, side, side)[chosen]
    return ((decoded - 16.0) * (255 / 219)).clip(0, 255).round().astype(np.uint8)


def save(path, drawings, scenes):
    images = [drawing() for _ in range(drawings)] + [scene() for _ in range(scenes)]
    number = np.arange(len(images))
    area, sharp = halved(images, [Image.BOX]), halved(images, [Image.BICUBIC, Image.LANCZOS])
    coded = np.empty_like(kept(area))
    for i, crf in enumerate(OTHER_CRFS):
        these = number // 2 % len(OTHER_CRFS) == i
        coded[these] = through_x264((sharp if crf == SHARP_CRF else area)[these], crf)
    scene_number = number - drawings
    np.savez(
        path, full=kept(stacked(images)), area=kept(area), sharp=kept(sharp), coded=coded,
        coded23=through_x264(area, MAIN_CRF), scene=scene_number >= 0,
        held_out=(number < drawings // 12) | (scene_number >= 0) & (scene_number < scenes // 8))


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--drawings", type=int, default=480)
    arguments.add_argument("--scenes", type=int, default=360)
    chosen = arguments.parse_args()
    save(chosen.out, chosen.drawings, chosen.scenes)


if __name__ == "__main__":
    main()
