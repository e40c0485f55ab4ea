#!/usr/bin/env python3
"""Render raw frames through mpv (--vo=gpu, OpenGL on llvmpipe, under Xvfb) with mpv user shaders.

    python3 mpv_oracle.py JOBS.json [SUFFIX]     # or: from mpv_oracle import run_jobs

JOBS.json: a list of objects
    frame            raw video file, one or more frames; the first one is rendered
    format           mpv pixel format: rgb24 gbrp yuv444p yuv420p yuv420p10 ...
    width, height    size of the frame
    matrix           bt.601 | bt.709 | bt.2020-ncl ...   (default bt.709; ignored for RGB)
    range            limited | full                      (default limited; ignored for RGB)
    chroma           left | center                       (default left)
    out_width, out_height    size of the window, hence of OUTPUT (default: size of the frame)
    shaders          list of GLSL files in mpv's hook format
    options          extra mpv options, e.g. {"fbo-format": "rgba32f", "cscale": "lanczos"}
    output           result: raw rgb24, out_width * out_height * 3 bytes; OUTPUT.log is mpv's log
    timeout          seconds (default 300)
SUFFIX is appended to every "output".

One line of JSON a job goes to stdout: {"output", "ok", "error", "passes", "params", "problems"}.
`passes` names what mpv really ran (so a skipped hook is missing there), `problems` holds
the warnings and errors of the log (compile errors, parse errors) and "Skipping hook" for a missing
texture or a false WHEN. The exit status is 1 if any job failed or logged an error.
"""
import contextlib
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import zlib

CHROMA = {"left": "mpeg2/4/h264", "center": "mpeg1/jpeg"}

# What a picture must not depend on is switched off: OSD, scripts, configuration, dithering, colour
# management, linear light. Source and target share primaries and transfer.
FIXED = """
    --no-config --no-audio --no-sub --no-osc --osd-level=0 --no-osd-bar --no-ytdl --load-scripts=no
    --no-input-default-bindings --no-input-terminal --load-stats-overlay=no --load-osd-console=no
    --load-auto-profiles=no --term-status-msg= --pause --keep-open=always --loop-file=no --hwdec=no
    --hr-seek=yes --force-window=yes --no-border --no-keepaspect --no-keepaspect-window
    --hidpi-window-scale=no --no-window-dragging --video-sync=audio --no-interpolation
    --vo=gpu --gpu-api=opengl --gpu-context=x11egl --gpu-sw=yes --gpu-dumb-mode=no
    --opengl-es=no --opengl-early-flush=no --gpu-shader-cache-dir=
    --fbo-format=rgba16f --dither-depth=no --deband=no
    --target-prim=bt.709 --target-trc=bt.1886 --icc-profile= --no-icc-profile-auto
    --video-output-levels=full --tone-mapping=clip --hdr-compute-peak=no
    --linear-upscaling=no --linear-downscaling=no --sigmoid-upscaling=no --correct-downscaling=yes
    --scale=lanczos --dscale=lanczos --cscale=bilinear --scaler-resizes-only=yes --alpha=no
    --screenshot-format=png --screenshot-png-compression=1 --screenshot-png-filter=0
    --screenshot-high-bit-depth=no --msg-color=no --msg-level=all=warn,vo/gpu=trace
""".split()

# "[   0.123][e][vo/gpu] text" - f, e and w are fatal, error and warning
LOG_LINE = re.compile(r"\[ *[\d.]+\]\[(\w)\]\[([^]]*)\] (.*)")
# source listings are left to the log itself
HARMLESS = re.compile(r"\[ *\d+\] |\w+ shader source:|Suspected software renderer|No video PTS")


@contextlib.contextmanager
def xvfb(width, height):
    """A display of its own; Xvfb itself picks the number and says when it is ready."""
    end, child = os.pipe()
    os.set_inheritable(child, True)
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(child), "-screen", "0", f"{max(width, 640)}x{max(height, 480)}x24",
         "-nolisten", "tcp", "-noreset"],
        pass_fds=[child], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(child)
    try:
        if not select.select([end], [], [], 60)[0]:
            raise RuntimeError("Xvfb did not start")
        number = os.read(end, 32).strip().decode()
        if not number:
            raise RuntimeError("Xvfb died")
        yield ":" + number
    finally:
        os.close(end)
        stop(server)


def stop(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Mpv:
    """JSON IPC over an inherited socket: no path to wait for, and mpv's end is a closed socket."""

    def __init__(self, arguments, environment, deadline):
        self.deadline, self.buffer, self.serial, self.events = deadline, b"", 0, []
        self.socket, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        self.process = subprocess.Popen(
            ["mpv", f"--input-ipc-client=fd://{theirs.fileno()}", *arguments], env=environment,
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        theirs.close()

    def check_time(self):
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("mpv was not ready in time")
        return left

    def message(self):
        while b"\n" not in self.buffer:
            if not select.select([self.socket], [], [], self.check_time())[0]:
                continue
            data = self.socket.recv(1 << 16)
            if not data:
                raise RuntimeError(f"mpv ended (status {self.process.wait()})")
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def command(self, *words):
        self.serial += 1
        request = {"command": list(words), "request_id": self.serial}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self.message()
            if message.get("request_id") == self.serial and "event" not in message:
                return message
            self.events.append(message)

    def event(self):
        return self.events.pop(0) if self.events else self.message()

    def close(self):
        self.socket.close()
        stop(self.process)


def read_png(path, width, height):
    """An 8-bit RGB(A) PNG written without row filters, as raw rgb24."""
    with open(path, "rb") as file:
        data = file.read()
    position, packed = 8, b""
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        chunk = data[position + 8:position + 8 + length]
        if kind == b"IHDR":
            w, h, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", chunk)
        elif kind == b"IDAT":
            packed += chunk
        position += 12 + length
    if (w, h) != (width, height):
        raise RuntimeError(f"the picture is {w}x{h}, not {width}x{height}")
    channels = {2: 3, 6: 4}.get(colour)
    if depth != 8 or interlace or channels is None:
        raise RuntimeError(f"unexpected PNG: depth {depth}, colour type {colour}")
    raw, stride, rows = zlib.decompress(packed), 1 + w * channels, []
    for row in range(h):
        if raw[row * stride] != 0:
            raise RuntimeError("unexpected PNG row filter")
        line = raw[row * stride + 1:(row + 1) * stride]
        if channels == 4:
            rgb = bytearray(w * 3)
            for c in range(3):
                rgb[c::3] = line[c::4]
            line = bytes(rgb)
        rows.append(line)
    return b"".join(rows)


def frame_size(job):
    """Bytes of a planar YUV frame; mpv itself rounds the chroma of odd sizes down. None: leave it to mpv."""
    match = re.fullmatch(r"yuv(444|422|420)p(\d+)?", job["format"])
    if not match:
        return None
    width, height = job["width"], job["height"]
    chroma_width = width if match[1] == "444" else (width + 1) // 2
    chroma_height = (height + 1) // 2 if match[1] == "420" else height
    return (width * height + 2 * chroma_width * chroma_height) * (2 if match[2] else 1)


def arguments(job, out_width, out_height):
    tag = {"primaries": "bt.709", "gamma": "bt.1886"}
    if not job["format"].startswith(("rgb", "gbr", "bgr")):
        tag["colormatrix"] = job.get("matrix", "bt.709")
        tag["colorlevels"] = job.get("range", "limited")
        tag["chroma-location"] = CHROMA[job.get("chroma", "left")]
    args = [*FIXED, f"--geometry={out_width}x{out_height}+0+0", "--demuxer=rawvideo",
            f"--demuxer-rawvideo-w={job['width']}", f"--demuxer-rawvideo-h={job['height']}",
            f"--demuxer-rawvideo-mp-format={job['format']}",
            "--vf=format=" + ":".join(f"{k}={v}" for k, v in tag.items())]
    if size := frame_size(job):
        args.append(f"--demuxer-rawvideo-size={size}")
    args += [f"--glsl-shaders-append={os.path.abspath(path)}" for path in job.get("shaders", [])]
    args += [f"--{name}={value}" for name, value in job.get("options", {}).items()]
    return [*args, "--", os.path.abspath(job["frame"])]


def render(job, display):
    width = job.get("out_width") or job["width"]
    height = job.get("out_height") or job["height"]
    log = job["output"] + ".log"
    report = {"output": job["output"], "ok": False, "error": None}
    # mpv leaves the padding of its scaler LUT uninitialised (6 taps in two RGBA texels) and llvmpipe's
    # linear filter multiplies it by zero: with NaNs there the picture is black. glibc clears memory then.
    environment = {**os.environ, "DISPLAY": display, "LIBGL_ALWAYS_SOFTWARE": "1", "LC_ALL": "C.UTF-8",
                   "MALLOC_PERTURB_": "255"}
    environment.pop("WAYLAND_DISPLAY", None)
    mpv = Mpv([f"--log-file={log}", *arguments(job, width, height)], environment,
              time.monotonic() + job.get("timeout", 300))
    try:
        watched = {"osd-dimensions": {}, "video-out-params": None}
        for number, name in enumerate(watched, 1):
            mpv.command("observe_property", number, name)
        shown = False
        while not (shown and watched["video-out-params"]
                   and (watched["osd-dimensions"]["w"], watched["osd-dimensions"]["h"]) == (width, height)):
            event = mpv.event()
            if event["event"] == "property-change":
                watched[event["name"]] = event.get("data")
            elif event["event"] == "playback-restart":
                shown = True
            elif event["event"] == "end-file":
                raise RuntimeError(f"mpv could not play the frame: {event}")
        # Passes are listed there once a frame has been rendered; nothing announces it, so ask.
        while not (passes := mpv.command("get_property", "vo-passes").get("data", {}).get("fresh")):
            time.sleep(0.02)
            mpv.check_time()
        with tempfile.TemporaryDirectory() as folder:
            picture = os.path.join(folder, "window.png")
            answer = mpv.command("screenshot-to-file", picture, "window")
            if answer["error"] != "success":  # so it is after a shader did not compile
                raise RuntimeError(f"screenshot: {answer['error']}, see problems")
            pixels = read_png(picture, width, height)
        with open(job["output"], "wb") as out:
            out.write(pixels)
        params = watched["video-out-params"]
        report["params"] = {k: params.get(k) for k in
                            ("pixelformat", "colormatrix", "colorlevels", "primaries", "gamma", "chroma-location")}
        report["passes"] = [p["desc"] for p in passes]
        if params.get("pixelformat") != job["format"]:
            raise RuntimeError(f"mpv converted {job['format']} to {params.get('pixelformat')}")
        report["ok"] = True
        mpv.command("quit")
    except (RuntimeError, TimeoutError, OSError) as error:
        report["error"] = str(error)
    finally:
        mpv.close()
    with open(log, errors="replace") as file:
        lines = [match.groups() for match in map(LOG_LINE.match, file) if match]
    bad = [(level, f"[{level}][{module}] {text}") for level, module, text in lines
           if (level in "few" or "Skipping hook" in text) and module != "ipc" and not HARMLESS.match(text)]
    report["problems"] = list(dict.fromkeys(text for _, text in bad))[:40]
    if report["ok"] and any(level in "fe" for level, _ in bad):
        report.update(ok=False, error="mpv logged errors (the picture is kept), see problems")
    return report


def run_jobs(jobs):
    width = max(job.get("out_width") or job["width"] for job in jobs)
    height = max(job.get("out_height") or job["height"] for job in jobs)
    with xvfb(width, height) as display:
        for job in jobs:
            yield render(job, display)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `timeout` leaves no process behind
    with open(sys.argv[1]) as file:
        jobs = json.load(file)
    for job in jobs:
        job["output"] += "".join(sys.argv[2:3])
    good = True
    for report in run_jobs(jobs):
        print(json.dumps(report), flush=True)
        good &= report["ok"]
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
