"""kizunashader and mpv with the same user shader on the same clip, by turns: seconds a frame.

    mpv.py PLUGIN_FOLDER SHADER [FRAMES] [ROUNDS] [WIDTHxHEIGHT]

Both draw with Mesa's software renderer: mpv (vo=gpu) in Xvfb, kizunashader without a display. Each plays the clip for 10 frames and for
FRAMES more; the difference is free of starting up and compiling. Both give twice the size. Needs mpv, Xvfb, ffmpeg and gst-launch-1.0.
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FEW = 10


def seconds(command, environment):
    begun = time.monotonic()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


class Ours:
    def __init__(self, plugins, shader, clip, size, work):
        self.environment = {
            **os.environ, "GST_PLUGIN_PATH": plugins, "GST_REGISTRY": str(work / "registry.bin"),
            "GST_GL_WINDOW": "egl-device", "GST_GL_PLATFORM": "egl", "LIBGL_ALWAYS_SOFTWARE": "1",
        }
        width, height = size
        self.line = (f"rawvideoparse width={width} height={height} format=i420 framerate=25/1 ! "
                     f"kizunashader stages=0 shaders={shader} ! video/x-raw,format=I420 ! fakesink sync=false")
        self.clip, self.bytes = clip, width * height * 3 // 2

    def play(self, frames):
        line = f"filesrc location={self.clip} blocksize={self.bytes} num-buffers={frames} ! {self.line}"
        return seconds(["gst-launch-1.0", "-q", *line.split()], self.environment)


class Mpv:
    def __init__(self, shader, clip, size):
        width, height = size
        read, write = os.pipe()
        self.display = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{2 * width}x{2 * height}x24", "-nolisten", "tcp", "-noreset"],
            pass_fds=[write], stderr=subprocess.DEVNULL)
        os.close(write)
        number = os.fdopen(read).readline().strip()
        # Tables of its scalers have padding that is never written.
        self.environment = {**os.environ, "DISPLAY": f":{number}", "LIBGL_ALWAYS_SOFTWARE": "1", "MALLOC_PERTURB_": "255"}
        self.command = [
            "mpv", "--no-config", "--no-audio", "--untimed", "--framedrop=no", "--video-sync=audio", "--osd-level=0", "--no-osc",
            "--load-scripts=no", "--really-quiet", "--vo=gpu", "--gpu-api=opengl", "--gpu-context=x11egl", "--gpu-sw=yes",
            "--opengl-swapinterval=0", "--opengl-glfinish=yes", "--gpu-dumb-mode=no", "--fbo-format=rgba16f", "--dither-depth=no",
            "--scale=lanczos", "--no-border", "--no-keepaspect", "--no-keepaspect-window", "--hidpi-window-scale=no",
            f"--geometry={2 * width}x{2 * height}+0+0", "--demuxer=rawvideo", f"--demuxer-rawvideo-w={width}",
            f"--demuxer-rawvideo-h={height}", "--demuxer-rawvideo-mp-format=yuv420p", f"--glsl-shaders={shader}",
        ]
        self.clip = str(clip)

    def play(self, frames):
        return seconds([*self.command, f"--frames={frames}", "--", self.clip], self.environment)


def frame(player, frames):
    few = player.play(FEW)
    return 1000 * (player.play(FEW + frames) - few) / frames


def main():
    plugins, shader = sys.argv[1:3]
    frames, rounds = int((sys.argv[3:4] or [100])[0]), int((sys.argv[4:5] or [5])[0])
    size = tuple(map(int, (sys.argv[5:6] or ["640x360"])[0].split("x")))
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clip = work / "clip.raw"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=s={size[0]}x{size[1]}:r=25", "-frames:v", str(frames + FEW + 1),
             "-pix_fmt", "yuv420p", "-f", "rawvideo", str(clip)], check=True)
        ours, theirs = Ours(os.path.abspath(plugins), os.path.abspath(shader), clip, size, work), Mpv(os.path.abspath(shader), clip, size)
        try:
            pairs = []
            for _ in range(rounds):
                pairs.append((frame(ours, frames), frame(theirs, frames)))
                print("kizunashader {:.1f} ms, mpv {:.1f} ms a frame".format(*pairs[-1]), flush=True)
        finally:
            theirs.display.terminate()
            theirs.display.wait()
    print("median of ratios, ours by mpv's: {:.2f}".format(statistics.median(a / b for a, b in pairs)))


main()
