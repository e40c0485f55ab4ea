"""What all peers measure, and how: time to the first frame, time from the first to the last, processor time, memory."""

import time
from pathlib import Path

import numpy as np


def pictures(clip, count, height, width):
    """The first frames of a raw RGB clip as planes of 32-bit float in 0..1."""
    samples = np.fromfile(clip, np.uint8, count * height * width * 3).reshape(count, height, width, 3)
    return np.ascontiguousarray(samples.transpose(0, 3, 1, 2), np.float32) * np.float32(1 / 255)


def write(path, n, planes):
    """Writes frame n of planes in 0..1 as packed RGB of 8 bits into its place: with two streams frames come in any order."""
    samples = np.round(np.clip(planes, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
    Path(path).touch()
    with open(path, "r+b") as file:
        file.seek(n * samples.size)
        file.write(samples.tobytes())


class Clock:
    """Starts when it is made; writes `result` at the last frame. `held` bytes of frames do not count as memory.

    Frames come `together` at a time: speed is measured from the last of the first ones on.
    """

    def __init__(self, frames, result, held, together=1):
        self.frames, self.result, self.held, self.times = frames, result, held, []
        self.together = together
        # From here on VmHWM is the peak since now.
        Path("/proc/self/clear_refs").write_text("5")
        self.begun = time.perf_counter()

    def frame(self):
        self.times.append(time.perf_counter())
        if len(self.times) == self.together:
            self.cpu = time.process_time()
        if len(self.times) == self.frames:
            self.finish()

    def finish(self):
        cpu = time.process_time() - self.cpu
        status = Path("/proc/self/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024 - self.held
        first, steady = self.times[0] - self.begun, self.times[-1] - self.times[self.together - 1]
        figures = {
            "frames": self.frames,
            "together": self.together,
            "first": first,
            "steady": steady,
            "cpu": cpu,
            "peak": peak,
        }
        Path(self.result).write_text("".join(f"{key} = {value}\n" for key, value in figures.items()))
