#!/usr/bin/env python3
"""Trains the network of the `fast` Upscale.

    train.py PICTURES.npz WEIGHTS.json

Eight convolutions in a chain with CReLU between them, in pairs: one looks at several texels and has 8 features, which
are never stored; the next makes of them, at the same texel, the 4 that are. The last 4 are by how much the four pixels
of a doubled texel differ from it.
"""
import ctypes
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

# Places (y, x) that are looked at.
SQUARE = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
LOWER_RIGHT = [(0, 0), (0, 1), (1, 0), (1, 1)]
UPPER_LEFT = [(-1, -1), (-1, 0), (0, -1), (0, 0)]
HERE = [(0, 0)]

# name, taps, features
CHAIN = [
    ("f_", SQUARE, 8), ("f", HERE, 4),
    ("g_", LOWER_RIGHT, 8), ("g", HERE, 4),
    ("k_", UPPER_LEFT, 8), ("k", HERE, 4),
    ("out_", LOWER_RIGHT, 8), ("out", HERE, 4),
]
REACH = 4  # of the whole chain: so near a picture's edge a result is not to be trusted

PATCH = 64  # a side, before doubling
COMPRESSED = 0.4  # of all patches
SHARP = 0.2  # of those that are not compressed
INVERTED = 0.1
EVEN = 2e-4  # of patches worse than this, the relative error counts: so lines do not outweigh the rest

SCALE = np.float32(1 / 255)


def kernels():
    """kernels.c, compiled for this processor."""
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/kernels.so"
        source = Path(__file__).with_name("kernels.c")
        subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", library], check=True)
        return ctypes.CDLL(library)


KERNELS = kernels()


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


class Planes:
    """What the network works on: `count` pictures of `side` pixels squared, one after the other in each plane."""

    def __init__(self, count, side):
        room = 1024
        used = count * side * side
        # 80 more, so that equal places of the planes do not share a line of the cache.
        self.stride = used + 2 * room + 80
        self.first, self.last = room, room + used
        self.shape = (count, side, side)
        features = [features for _, _, features in CHAIN]
        self.inputs = [self.empty(1)] + [self.empty(2 * n) for n in features[:-1]]
        self.outputs = [self.empty(n) for n in features]
        self.input_slopes = [self.empty(2 * n) for n in features[:-1]]
        self.slopes = [self.empty(n) for n in features]
        self.target = self.empty(4)

    def empty(self, planes):
        return np.zeros((planes, self.stride), np.float32)

    def used(self, planes):
        return planes[:, self.first:self.last]

    def pictures(self, planes):
        return self.used(planes).reshape(-1, *self.shape)

    def inner(self, planes):
        return self.pictures(planes)[:, :, REACH:-REACH, REACH:-REACH]

    def offsets(self, taps, sign=1):
        return np.array([sign * (y * self.shape[2] + x) for y, x in taps], np.int32)

    def convolve(self, source, weights, bias, to, offsets):
        outs, ins, taps = weights.shape
        KERNELS.convolve(
            address(source), address(weights), address(bias), address(to), ctypes.c_long(self.stride), ins, outs, taps,
            address(offsets), ctypes.c_long(self.first), ctypes.c_long(self.last))

    def weight_slopes(self, source, slopes, to, offsets):
        outs, ins, taps = to.shape
        KERNELS.weight_slopes(
            address(source), address(slopes), address(to), ctypes.c_long(self.stride), ins, outs, taps,
            address(offsets), ctypes.c_long(self.first), ctypes.c_long(self.last))


class Parameters:
    """Weights [out][in][tap] and biases of the chain, all of them in one array."""

    def __init__(self):
        shapes = []
        ins = 1
        for _, taps, outs in CHAIN:
            shapes += [(outs, ins, len(taps)), (outs,)]
            ins = 2 * outs
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.all = np.zeros(sum(sizes), np.float32)
        flat = np.split(self.all, np.cumsum(sizes)[:-1])
        parts = [part.reshape(shape) for part, shape in zip(flat, shapes)]
        self.weights, self.biases = parts[::2], parts[1::2]

    def randomize(self, rng):
        for weights in self.weights:
            weights[:] = rng.normal(0, 1 / np.sqrt(weights[0].size), weights.shape)
        self.weights[0] *= 2
        self.weights[-1] *= 0.1

    def centre(self):
        """The first convolution's weights sum to zero: so flat surfaces of all shades are the same to the rest."""
        self.weights[0] -= self.weights[0].mean(2, keepdims=True)

    def flat_answer(self):
        """What comes out where the input is flat."""
        values = np.zeros(1)
        for i, (weights, biases) in enumerate(zip(self.weights, self.biases)):
            if i > 0:
                values = np.concatenate([np.maximum(values, 0), np.maximum(-values, 0)])
            values = weights.sum(2).astype(float) @ values + biases
        return values

    def keep_flat(self):
        """What is flat comes out as it is."""
        self.centre()
        self.biases[-1][:] -= self.flat_answer()


def forward(parameters, planes):
    for i, (_, taps, _) in enumerate(CHAIN):
        if i > 0:
            before = planes.outputs[i - 1]
            KERNELS.crelu(address(before), address(planes.inputs[i]), ctypes.c_long(before.size))
        weights, biases = parameters.weights[i], parameters.biases[i]
        planes.convolve(planes.inputs[i], weights, biases, planes.outputs[i], planes.offsets(taps))
    planes.outputs[-1] += planes.inputs[0]


def loss(planes):
    """Slope of the outputs for the mean, over patches, of log(squared error + EVEN); the mean squared error."""
    error = planes.inner(planes.outputs[-1]) - planes.inner(planes.target)
    squared = np.einsum("knyx,knyx->n", error, error) / error[:, 0].size
    planes.inner(planes.slopes[-1])[:] = 2 * error / ((squared + EVEN) * error.size)[:, None, None]
    return squared.mean()


def backward(parameters, planes, to):
    """The slopes of the parameters."""
    for i in reversed(range(len(CHAIN))):
        taps, slopes = CHAIN[i][1], planes.slopes[i]
        to.biases[i][:] = planes.used(slopes).sum(1)
        planes.weight_slopes(planes.inputs[i], slopes, to.weights[i], planes.offsets(taps))
        if i > 0:
            turned = np.ascontiguousarray(parameters.weights[i].transpose(1, 0, 2))
            before, both, no_bias = planes.outputs[i - 1], planes.input_slopes[i - 1], np.zeros(len(turned), np.float32)
            planes.convolve(slopes, turned, no_bias, both, planes.offsets(taps, -1))
            KERNELS.crelu_slopes(
                address(before), address(both), address(planes.slopes[i - 1]), ctypes.c_long(before.size))


class Pictures:
    def __init__(self, path, seed):
        with np.load(path) as file:
            self.arrays = dict(file)
        self.rng = np.random.default_rng(seed)
        held_out, scene = self.arrays["held_out"], self.arrays["scene"]
        self.held_out = np.flatnonzero(held_out)
        # Scenes as often as drawings.
        share = np.where(scene, 1 / np.sum(scene & ~held_out), 1 / np.sum(~scene & ~held_out)) * ~held_out
        self.share = share / share.sum()

    def source(self):
        if self.rng.random() < COMPRESSED:
            return "coded23" if self.rng.random() < 0.5 else "coded"
        return "sharp" if self.rng.random() < SHARP else "area"

    def place(self, picture):
        """Of a patch: of two, the one in which more happens."""
        def happens(place):
            y, x = place
            rows = self.arrays["area"][picture, y:y + PATCH:2, x:x + PATCH:2].astype(int)
            return np.abs(np.diff(rows, axis=0)).sum()

        sides = self.arrays["area"].shape[1]
        return max(self.rng.integers(0, sides - PATCH + 1, (2, 2)), key=happens)

    def patch(self):
        """Before and after doubling, turned and mirrored at random."""
        picture = self.rng.choice(len(self.share), p=self.share)
        y, x = self.place(picture)
        small = self.arrays[self.source()][picture, y:y + PATCH, x:x + PATCH]
        large = self.arrays["full"][picture, 2 * y:2 * (y + PATCH), 2 * x:2 * (x + PATCH)]
        turns, mirrored, inverted = self.rng.integers(4), self.rng.random() < 0.5, self.rng.random() < INVERTED
        for image in (small, large):
            image = np.rot90(image, turns)
            image = image.T if mirrored else image
            yield (255 - image if inverted else image) * SCALE

    def fill(self, planes):
        for n in range(planes.shape[0]):
            small, large = self.patch()
            planes.pictures(planes.inputs[0])[0, n] = small
            planes.pictures(planes.target)[:, n] = quarters(large)


def quarters(picture):
    """The four pixels of each doubled texel, as planes."""
    return np.stack([picture[y::2, x::2] for y in (0, 1) for x in (0, 1)])


def psnr(parameters, pictures, source, scene):
    """Mean over the pictures held out, none above 50 dB."""
    planes = Planes(1, pictures.arrays["area"].shape[1])
    values = []
    for i in pictures.held_out[pictures.arrays["scene"][pictures.held_out] == scene]:
        planes.pictures(planes.inputs[0])[0, 0] = pictures.arrays[source][i] * SCALE
        planes.pictures(planes.target)[:, 0] = quarters(pictures.arrays["full"][i] * SCALE)
        forward(parameters, planes)
        error = planes.inner(planes.outputs[-1]).clip(0, 1) - planes.inner(planes.target)
        values.append(-10 * np.log10(np.mean(error**2) + 1e-5))
    return np.mean(values)


def report(parameters, pictures):
    for source in ("area", "coded23"):
        scenes, drawings = (psnr(parameters, pictures, source, scene) for scene in (True, False))
        print(f"  {source}: scenes {scenes:.2f} dB, drawings {drawings:.2f} dB", flush=True)


def train(parameters, pictures, steps, rate, batch, centred=False):
    """By Adam; the rate warms up, then falls as a cosine."""
    planes, slopes = Planes(batch, PATCH), Parameters()
    mean, square = np.zeros_like(slopes.all), np.zeros_like(slopes.all)
    begin, errors = time.monotonic(), []
    for step in range(1, steps + 1):
        if centred:
            parameters.centre()
        pictures.fill(planes)
        forward(parameters, planes)
        errors.append(loss(planes))
        backward(parameters, planes, slopes)
        mean += 0.1 * (slopes.all - mean)
        square += 0.005 * (slopes.all**2 - square)
        now = rate * min(1, step / 300) * (0.005 + 0.995 * (1 + np.cos(np.pi * step / steps)) / 2)
        parameters.all -= now * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.995**step)) + 1e-8)
        if step % 5000 == 0:
            took, decibel = time.monotonic() - begin, -10 * np.log10(np.mean(errors))
            print(f"{step} of {steps}, {took:.0f} s: {decibel:.2f} dB", flush=True)
            errors.clear()


def rounded(array):
    """Six digits are enough, and what the shader has."""
    return [rounded(part) for part in array] if np.ndim(array) else float(f"{array:.6g}")


def save(parameters, path):
    layers, source = [], "x"
    for (name, taps, _), weights, biases in zip(CHAIN, parameters.weights, parameters.biases):
        term = {"src": source, "act": "id" if source == "x" else "crelu", "taps": taps, "w": rounded(weights)}
        layers.append({"name": name, "bias": rounded(biases), "terms": [term]})
        source = name
    path.write_text(json.dumps({"base": "nearest", "layers": layers}))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    pictures, parameters = Pictures(sys.argv[1], seed=1), Parameters()
    parameters.randomize(np.random.default_rng(0))
    train(parameters, pictures, steps=40_000, rate=8e-3, batch=8)
    report(parameters, pictures)
    train(parameters, pictures, steps=25_000, rate=5e-3, batch=12, centred=True)
    parameters.keep_flat()
    report(parameters, pictures)
    save(parameters, Path(sys.argv[2]))


if __name__ == "__main__":
    main()
