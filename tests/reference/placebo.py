#!/usr/bin/env python3
"""Render raw frames through libplacebo 7 (Vulkan on Mesa's lavapipe) with user shaders.

    from placebo import run_jobs

    python3 placebo.py PACKAGES < JOB.json     # what run_jobs starts for each job

PACKAGES is a folder with the wheels of vapoursynth and vs-placebo, unpacked. They are for Python 3.12 and newer, but only their
shared libraries are used, which know nothing of Python: any Python will do.

Jobs and reports are those of mpv.py, less "options" and "passes"; format is gbrp or yuv444p (limited range), and
    frames           how often the frame is shown; the last picture is kept (default 1)

libplacebo reads and gives planes of 16 bits here. Limited range goes in shifted up, as codes of more bits are; the answer, in the
source's matrix and range, becomes RGB here and is rounded once.
"""
import array
import ctypes
import json
import os
import re
import subprocess
import sys
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_ssize_t, c_void_p
from pathlib import Path

LAVAPIPE = Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json")

API_VERSION = 4 << 16
YUV, INTEGER = 3, 0
NO_AUTOLOADING = 2
UNORDERED = 2
TEXT = 1
REPLACE = 0

# libplacebo's number, Kr, Kb
MATRICES = {"bt.601": (1, 0.299, 0.114), "bt.709": (2, 0.2126, 0.0722)}

# mpv's window clips overshoot as RGB; planes of YUV would clip it as YUV. PREOUTPUT is libplacebo's last stage in RGB.
CLIP = """
//!HOOK PREOUTPUT
//!BIND HOOKED
//!DESC clip
vec4 hook() { return clamp(HOOKED_tex(HOOKED_pos), 0.0, 1.0); }
"""


class VideoFormat(Structure):
    _fields_ = [(name, c_int) for name in (
        "family", "sample_type", "bits", "bytes", "subsampling_w", "subsampling_h", "planes")]


class VideoInfo(Structure):
    _fields_ = [("format", VideoFormat), ("fps_num", c_int64), ("fps_den", c_int64),
                ("width", c_int), ("height", c_int), ("frames", c_int)]


GET_FRAME = CFUNCTYPE(c_void_p, c_int, c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
LOG = CFUNCTYPE(None, c_int, c_char_p, c_void_p)

# Place in VapourSynth's table of functions, result, arguments.
FUNCTIONS = {
    "createVideoFilter2": (1, c_void_p, c_char_p, POINTER(VideoInfo), GET_FRAME, c_void_p, c_int, c_void_p, c_int,
                           c_void_p, c_void_p),
    "newVideoFrame": (12, c_void_p, POINTER(VideoFormat), c_int, c_int, c_void_p, c_void_p),
    "addFrameRef": (17, c_void_p, c_void_p),
    "getFramePropertiesRW": (20, c_void_p, c_void_p),
    "getStride": (21, c_ssize_t, c_void_p, c_int),
    "getReadPtr": (22, c_void_p, c_void_p, c_int),
    "getWritePtr": (23, c_void_p, c_void_p, c_int),
    "queryVideoFormat": (32, c_int, POINTER(VideoFormat), c_int, c_int, c_int, c_int, c_int, c_void_p),
    "getFrame": (36, c_void_p, c_int, c_void_p, c_char_p, c_int),
    "createMap": (47, c_void_p),
    "mapGetError": (52, c_char_p, c_void_p),
    "mapSetInt": (62, c_int, c_void_p, c_char_p, c_int64, c_int),
    "mapSetData": (72, c_int, c_void_p, c_char_p, c_char_p, c_int, c_int, c_int),
    "mapGetNode": (73, c_void_p, c_void_p, c_char_p, c_int, c_void_p),
    "mapSetNode": (74, c_int, c_void_p, c_char_p, c_void_p, c_int),
    "getPluginByNamespace": (84, c_void_p, c_char_p, c_void_p),
    "invoke": (96, c_void_p, c_void_p, c_char_p, c_void_p),
    "createCore": (97, c_void_p, c_int),
    "setThreadCount": (100, c_int, c_int, c_void_p),
    "addLogHandler": (104, c_void_p, LOG, c_void_p, c_void_p, c_void_p),
}


class VapourSynth:
    """One core with libplacebo's filter. It lives as long as the process."""

    def __init__(self, packages):
        library = ctypes.CDLL(str(packages / "vapoursynth/libvapoursynth.so.4"))
        library.getVapourSynthAPI.restype = POINTER(c_void_p)
        table = library.getVapourSynthAPI(API_VERSION)
        for name, (place, *signature) in FUNCTIONS.items():
            setattr(self, name, CFUNCTYPE(*signature)(table[place]))
        self.core = self.createCore(NO_AUTOLOADING)
        self.setThreadCount(1, self.core)
        self.log = LOG(lambda _, message, __: print(message.decode(errors="replace"), file=sys.stderr))
        self.addLogHandler(self.log, None, None, self.core)
        self.call("std", "LoadPlugin", path=str(packages / "vapoursynth/plugins/libvs_placebo.so"))

    def call(self, plugin, function, clip=None, **arguments):
        """A filter's result, which is a clip, or None where it gives none."""
        given = self.createMap()
        if clip:
            self.mapSetNode(given, b"clip", clip, REPLACE)
        for name, value in arguments.items():
            if isinstance(value, int):
                self.mapSetInt(given, name.encode(), value, REPLACE)
            else:
                data = value.encode()
                self.mapSetData(given, name.encode(), data, len(data), TEXT, REPLACE)
        made = self.invoke(self.getPluginByNamespace(plugin.encode(), self.core), function.encode(), given)
        if error := self.mapGetError(made):
            raise RuntimeError(f"{function}: {error.decode(errors='replace')}")
        return self.mapGetNode(made, b"clip", 0, byref(c_int()))

    def still(self, planes, width, height, frames, is_full):
        """A clip that shows one picture: three planes of 16 bits, all of the same size."""
        info = VideoInfo(fps_num=25, fps_den=1, width=width, height=height, frames=frames)
        self.queryVideoFormat(byref(info.format), YUV, INTEGER, 16, 0, 0, self.core)
        picture = self.newVideoFrame(byref(info.format), width, height, None, self.core)
        self.mapSetInt(self.getFramePropertiesRW(picture), b"_Range", int(is_full), REPLACE)
        for index, plane in enumerate(planes):
            start, stride = self.getWritePtr(picture, index), self.getStride(picture, index)
            for y in range(height):
                ctypes.memmove(start + y * stride, plane[y * width:(y + 1) * width].tobytes(), 2 * width)
        self.source = GET_FRAME(lambda *_: self.addFrameRef(picture))
        return self.createVideoFilter2(
            b"still", byref(info), self.source, None, UNORDERED, None, 0, None, self.core)

    def planes(self, clip, number, width, height):
        """A frame of a clip."""
        message = ctypes.create_string_buffer(1024)
        frame = self.getFrame(number, clip, message, len(message))
        if not frame:
            raise RuntimeError(message.value.decode(errors="replace"))
        planes = []
        for index in range(3):
            start, stride = self.getReadPtr(frame, index), self.getStride(frame, index)
            rows = (ctypes.string_at(start + y * stride, 2 * width) for y in range(height))
            planes.append(array.array("H", b"".join(rows)))
        return planes


def source_planes(job):
    """The frame as libplacebo wants it; planes of RGB in this order."""
    data, area, is_rgb = Path(job["frame"]).read_bytes(), job["width"] * job["height"], job["format"] == "gbrp"
    if not is_rgb and job["format"] != "yuv444p":
        raise RuntimeError(f"{job['format']} is neither gbrp nor yuv444p")
    planes = [data[i * area:(i + 1) * area] for i in ((2, 0, 1) if is_rgb else (0, 1, 2))]
    factor = 257 if is_rgb else 256
    return [array.array("H", (code * factor for code in plane)) for plane in planes]


def directives(path):
    """A file from its first directive on, so that files can follow each other."""
    return Path(path).read_text().partition("//!")[2].join(["//!", "\n"])


def render(job, packages):
    width, height, frames, is_rgb = job["width"], job["height"], job.get("frames", 1), job["format"] == "gbrp"
    out_width, out_height = job.get("out_width") or width, job.get("out_height") or height
    # Matrix 0 is "unknown", which libplacebo takes for RGB: planes pass as they are.
    matrix, kr, kb = (0, 0, 0) if is_rgb else MATRICES[job.get("matrix", "bt.709")]
    text = "".join(map(directives, job["shaders"])) + ("" if is_rgb else CLIP)

    synth = VapourSynth(packages)
    clip = synth.still(source_planes(job), width, height, frames, is_rgb)
    clip = synth.call("placebo", "Shader", clip, shader_s=text, width=out_width, height=out_height, matrix=matrix,
                      linearize=0, sigmoidize=0, filter="lanczos", log_level=4)
    for number in range(frames):
        planes = synth.planes(clip, number, out_width, out_height)
    convert = rgb_of_rgb if is_rgb else rgb_of_yuv(kr, kb)
    rounded = bytearray()
    for codes in zip(*planes):
        rounded += bytes(round(255 * min(max(value, 0), 1)) for value in convert(*codes))
    Path(job["output"]).write_bytes(rounded)


def rgb_of_rgb(*codes):
    return [code / 65535 for code in codes]


def rgb_of_yuv(kr, kb):
    def convert(y, u, v):
        y, u, v = (y / 256 - 16) / 219, (u / 256 - 128) / 224, (v / 256 - 128) / 224
        red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
        return red, (y - kr * red - kb * blue) / (1 - kr - kb), blue
    return convert


def report_of(job, packages):
    environment = {**os.environ, "VK_DRIVER_FILES": str(LAVAPIPE), "VK_ICD_FILENAMES": str(LAVAPIPE)}
    worker = subprocess.run(
        [sys.executable, os.path.abspath(__file__), str(packages)], input=json.dumps(job).encode(),
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=job.get("timeout", 300))
    log = worker.stdout.decode(errors="replace")
    Path(job["output"] + ".log").write_text(re.sub(r"\x1b\[[\d;]*m", "", log))
    # libplacebo writes errors in red and magenta; it then leaves the shader out, and the filter says nothing.
    problems = re.findall(r"\x1b\[(?:1;)?3[15]m([^\x1b\n]*)", log)
    is_good = worker.returncode == 0 and not problems
    error = None if is_good else log.strip().splitlines()[-1:]
    return {"output": job["output"], "ok": is_good, "error": error, "problems": problems}


def run_jobs(jobs, packages):
    for job in jobs:
        yield report_of(job, packages)


if __name__ == "__main__":
    render(json.load(sys.stdin), Path(sys.argv[1]))
