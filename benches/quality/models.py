"""Every model of kizunasr and every quality of kizunashader, x2: how near to ground truth, how fast, and what they look like.

    models.py PLUGIN_FOLDER WORK_FOLDER

Pictures and measures are those of quality.py. Models of another factor run with scale=2, so their result is scaled down by Lanczos. Speed is
the processor's time of frames of which no part is reused, by turns; other programs disturb it less than the clock's. Writes docs/models.svg,
docs/models-*.png and the table of docs/models.md.
"""
import math
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from quality import HEIGHT, WIDTH, Element, ground_truths, halved, psnr, ssim, through_x264

DOCS = Path(__file__).resolve().parents[2] / "docs"
MODELS = ["anime4k-m", "anime4k-vl", "upconv7-x2", "upconv7-x2-denoise1", "cunet-x2", "realcugan-se-x2-conservative",
          "animevideov3-x2", "animevideov3-x3", "animevideov3-x4", "x4plus-anime"]
QUALITIES = ["fast", "balanced", "high"]
ROUNDS = 3
# What is timed takes the processor this long at least, unless it has this many frames.
SECONDS, FRAMES = 3, 600
# Sheets: name, picture, corner and whether the input came out of x264.
SHEETS = [("clean", 0, (326, 86), False), ("coded", 1, (330, 235), True)]
# Size of a crop, which is shown twice as large, and of what is around it.
CELL, FRAME, TITLE = (116, 78), 4, 24
FONT = "fontcolor=white:fontsize=13:x=6:y=17-ascent"


def methods(plugins, work):
    """Name, element and properties."""
    sr, shader = Element(plugins, work, "kizunasr"), Element(plugins, work)
    yield "Lanczos", shader, "stages=0"
    for quality in QUALITIES:
        yield f"kizunashader {quality}", shader, f"quality={quality}"
    for model in MODELS:
        yield model, sr, f"model={model} scale=2 reuse-tolerance=-1"


def measure(made, truths):
    return np.mean([psnr(m, t) for m, t in zip(made, truths)]), np.mean([ssim(m, t) for m, t in zip(made, truths)])


def seconds(element, properties, frames, count):
    """Processor seconds of a pipeline over `count` frames, no two neighbours of which are alike."""
    raw = b"".join(frames[i % len(frames)] for i in range(count))
    source = element.work / "speed.raw"
    source.write_bytes(raw)
    line = (f"filesrc location={source} blocksize={len(frames[0])} ! rawvideoparse width={WIDTH // 2} height={HEIGHT // 2} format=i420 "
            f"colorimetry=bt709 framerate=24/1 ! {element.name} {properties} ! video/x-raw,format=I420 ! fakesink")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["gst-launch-1.0", "-q", *line.split()], env=element.environment, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def frame_times(all_methods, frames):
    """Processor milliseconds of a frame by method: the median of rounds, each a run of one frame taken from a run of many."""
    counts, found = {}, {name: [] for name, *_ in all_methods}
    for name, element, properties in all_methods:
        # The first run fills the caches of what is found out about models, too.
        first = min(seconds(element, properties, frames, 1) for _ in range(2))
        each = max((seconds(element, properties, frames, 9) - first) / 8, SECONDS / FRAMES)
        counts[name] = max(2, math.ceil(SECONDS / each))
    for _ in range(ROUNDS):
        for name, element, properties in all_methods:
            one = seconds(element, properties, frames, 1)
            many = seconds(element, properties, frames, counts[name])
            found[name].append(1000 * (many - one) / (counts[name] - 1))
            print(name, counts[name], "frames, ms:", *("%.1f" % t for t in found[name]), flush=True)
    return {name: statistics.median(times) for name, times in found.items()}


def sheet(path, cells):
    """A picture of named crops, four in a row, each pixel a square of four."""
    width, height = CELL
    columns = 4
    line, inputs = [], []
    for i, (name, image) in enumerate(cells):
        inputs += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-i", str(image)]
        line.append(f"[{i}]scale=iw*2:ih*2:flags=neighbor,pad=iw+{FRAME}:ih+{TITLE}:{FRAME // 2}:{TITLE - 2}:0x202020,"
                    f"drawtext=text='{name}':{FONT}[c{i}]")
    layout = "|".join(f"{i % columns * (2 * width + FRAME)}_{i // columns * (2 * height + TITLE)}" for i in range(len(cells)))
    graph = ";".join(line) + ";" + "".join(f"[c{i}]" for i in range(len(cells))) + f"xstack=inputs={len(cells)}:layout={layout}:fill=0x202020,format=rgb24"
    subprocess.run(["ffmpeg", "-v", "error", "-y", *inputs, "-filter_complex", graph, "-frames:v", "1", "-compression_level", "9",
                    "-pred", "mixed", str(path)], check=True)


def cells(work, images, corner):
    (x, y), (width, height) = corner, CELL
    for i, (name, image) in enumerate(images):
        file = work / f"cell{i}.raw"
        file.write_bytes(np.ascontiguousarray(image[y:y + height, x:x + width]).tobytes())
        yield name, file


def plot(points):
    """Quality against speed as SVG; points are (name, milliseconds, dB)."""
    width, height, left, right, top, bottom = 900, 520, 60, 30, 44, 50
    low, high = math.floor(min(p[2] for p in points)), math.ceil(max(p[2] for p in points))
    begin, end = (round_to(math.log10(p), up) for p, up in ((min(p[1] for p in points), False), (max(p[1] for p in points), True)))

    def place(milliseconds, decibels):
        x = left + (math.log10(milliseconds) - begin) / (end - begin) * (width - left - right)
        return x, top + (high - decibels) / (high - low) * (height - top - bottom)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{left}" y="24" font-size="14" font-weight="bold">PSNR of luma against ground truth, and the processor\'s time of a frame; '
           f'{WIDTH // 2}x{HEIGHT // 2} to {WIDTH}x{HEIGHT}</text>']
    for decibels in range(low, high + 1):
        y = place(10**begin, decibels)[1]
        out.append(f'<path d="M{left} {y:.1f}H{width - right}" stroke="#ddd"/><text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{decibels} dB</text>')
    for power in range(math.ceil(begin), math.floor(end) + 1):
        x = place(10.0**power, low)[0]
        out.append(f'<path d="M{x:.1f} {top}V{height - bottom}" stroke="#ddd"/><text x="{x:.1f}" y="{height - bottom + 18}" text-anchor="middle">{10.0**power:g} ms</text>')
    # Boxes (left, top, right, bottom) that a label may not lie on: dots first, then labels.
    dots = [place(*p[1:]) for p in points]
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in dots]
    for (name, *_), (x, y) in sorted(zip(points, dots), key=lambda pair: pair[1]):
        colour = "#777" if name == "Lanczos" else "#30638e" if name.startswith("kizunashader") else "#d1495b"
        size = 6.8 * len(name)
        # To the right, to the left, then further and further below.
        places = [(x + 9, y + 4), (x - 9 - size, y + 4)] + [(x + 9, y + 4 + 13 * step) for step in range(1, 9)]
        text_x, text_y = next((a, b) for a, b in places if a > left and a + size < width and not any(
            a < box[2] and box[0] < a + size and b - 11 < box[3] and box[1] < b + 2 for box in taken))
        taken.append((text_x, text_y - 11, text_x + size, text_y + 2))
        anchor = f'x="{x - 9:.1f}" text-anchor="end"' if text_x < x else f'x="{text_x:.1f}"'
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/><text {anchor} y="{text_y:.1f}">{name}</text>')
    out.append(f'<text x="{left}" y="{height - 10}" fill="#555">red: kizunasr, on the processor; blue: kizunashader, five stages; '
               'OpenGL in software: a graphics device takes its work off the processor</text></svg>')
    return "\n".join(out) + "\n"


def round_to(power, up):
    return (math.ceil if up else math.floor)(power * 2) / 2


def write_table(rows):
    """Puts the table between its marks in models.md."""
    page = DOCS / "models.md"
    text = page.read_text()
    begin, end = "<!-- quality: written by benches/quality/models.py -->\n", "<!-- quality end -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    page.write_text(before + begin + "\n".join(rows) + "\n" + end + after)


def main():
    plugins, work = map(Path, sys.argv[1:])
    work.mkdir(parents=True, exist_ok=True)
    os.environ["KIZUNA_CACHE"] = str(work / "cache")
    truths = ground_truths(work)
    inputs = [halved(truth) for truth in truths]
    coded = [through_x264([image], ["-crf", "23", "-tune", "animation"]) for image in inputs]
    all_methods = list(methods(plugins, work))
    figures, sheets = {}, {name: [("ground truth", truths[index])] for name, index, *_ in SHEETS}
    for name, element, properties in all_methods:
        made = {is_coded: [element(properties, raw, "i420" if is_coded else "rgb", 1)[0] for raw in sources]
                for is_coded, sources in ((False, [i.tobytes() for i in inputs]), (True, coded))}
        figures[name] = measure(made[False], truths) + measure(made[True], truths)
        for title, index, _, is_coded in SHEETS:
            sheets[title].append((name, made[is_coded][index]))
        print(name, *("%.4f" % f for f in figures[name]), flush=True)
    for title, _, corner, _ in SHEETS:
        sheet(DOCS / f"models-{title}.png", list(cells(work, sheets[title], corner)))
    times = frame_times(all_methods, coded)
    rows = ["| | clean, dB | SSIM | crf 23, dB | SSIM | processor ms a frame | times `fast` |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, (db, similar, coded_db, coded_similar) in figures.items():
        ratio = times[name] / times["kizunashader fast"]
        rows.append(f"| `{name}` | {db:.2f} | {similar:.4f} | {coded_db:.2f} | {coded_similar:.4f} | {times[name]:.0f} | {ratio:.2f} |")
    write_table(rows)
    (DOCS / "models.svg").write_text(plot([(name, times[name], figures[name][0]) for name in figures]))


if __name__ == "__main__":
    main()
