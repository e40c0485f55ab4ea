#!/usr/bin/env python3
"""Writes the network of the `fast` Upscale as an mpv user shader.

    write_shader.py WEIGHTS.json > upscale.glsl
"""
import json
import sys
from pathlib import Path

HEAD = """\
// Kizuna, stage 3 of 5: Real-Time Upscale, at its fastest. Luma is doubled by a small network, \
colour follows by linear mixing.
// MIT OR Apache-2.0, the Kizuna developers. Runs in mpv and libplacebo as it is.
//
// Four layers of four features; each pass has eight more inside (CReLU, Shang et al. 2016), \
and looks at 2x2 texels in turn to the
// lower right and the upper left. Trained by us on art of Debian's renpy-demo (Expat) \
and on drawn lines and surfaces, reduced by
// area average, two in five compressed by x264. 1096 multiply-adds a pixel, 22 texture reads.
"""

# In a pass: the picture's luma; when the picture is to be enlarged.
LUMA = "vec3(0.2126, 0.7152, 0.0722)"
WHEN = "//!WHEN OUTPUT.w HOOKED.w 1.2 * > OUTPUT.h HOOKED.h 1.2 * > *"

FIRST = """
//!HOOK MAIN
//!BIND HOOKED
//!SAVE KIZUNA_UP1
//!COMPONENTS 4
{when}
//!DESC Real-Time Upscale: layer 1
#define luma(x, y) dot(HOOKED_texOff(vec2(x, y)).rgb, {luma})
vec4 hook() {{
    float l;
{hidden}
    return {stored};
}}
"""

NEXT = """
//!HOOK MAIN
{picture}//!BIND KIZUNA_UP{source}
//!SAVE KIZUNA_UP{number}
//!COMPONENTS 4
{when}
//!DESC Real-Time Upscale: layer {number}
vec4 hook() {{
    vec4 t;
{hidden}
    return {stored};
}}
"""

PICTURE = """
//!HOOK MAIN
//!BIND HOOKED
//!BIND KIZUNA_UP4
//!WIDTH HOOKED.w 2 *
//!HEIGHT HOOKED.h 2 *
{when}
//!DESC Real-Time Upscale: picture
vec4 hook() {{
    vec2 at = KIZUNA_UP4_pos * KIZUNA_UP4_size;
    ivec2 part = ivec2(fract(at) * 2.0);
    float luma = texelFetch(KIZUNA_UP4_raw, ivec2(at), 0)[part.y * 2 + part.x];
    vec4 c = HOOKED_tex(HOOKED_pos);
    return vec4(c.rgb + luma - dot(c.rgb, {luma}), c.a);
}}
"""


def number(value):
    text = f"{value:.6g}"
    return text if "." in text or "e" in text else text + ".0"


def vec4(values):
    return f"vec4({', '.join(map(number, values))})"


def mat4(weights, out, into, tap):
    """Weights of features `into`..+4 for `out`..+4, by columns as GLSL has them."""
    columns = (weights[out + row][into + column][tap] for column in range(4) for row in range(4))
    return f"mat4({', '.join(map(number, columns))})"


def weights_and_taps(layer):
    term = layer["terms"][0]
    return term["w"], term["taps"]


def biases(layer):
    return [f"    vec4 a = {vec4(layer['bias'][:4])};", f"    vec4 b = {vec4(layer['bias'][4:])};"]


def hidden_of_luma(layer):
    lines = biases(layer)
    weights, taps = weights_and_taps(layer)
    for tap, (y, x) in enumerate(taps):
        lines.append(f"    l = luma({x}.0, {y}.0);")
        for name, out in ("a", 0), ("b", 4):
            lines.append(f"    {name} += {vec4([row[0][tap] for row in weights[out:out + 4]])} * l;")
    return "\n".join(lines)


def hidden_of_texture(layer, source):
    lines = biases(layer)
    weights, taps = weights_and_taps(layer)
    for tap, (y, x) in enumerate(taps):
        lines.append(f"    t = KIZUNA_UP{source}_texOff(vec2({x}.0, {y}.0));")
        for name, out in ("a", 0), ("b", 4):
            for value, into in ("t", 0), ("-t", 4):
                lines.append(f"    {name} += {mat4(weights, out, into, tap)} * max({value}, 0.0);")
    return "\n".join(lines)


def stored(layer, residual=False):
    weights, _ = weights_and_taps(layer)
    terms = [vec4(layer["bias"])]
    for i, value in enumerate(("a", "b", "-a", "-b")):
        terms.append(f"{mat4(weights, 0, 4 * i, 0)} * max({value}, 0.0)")
    if residual:
        terms.append(f"dot(HOOKED_tex(HOOKED_pos).rgb, {LUMA})")
    return "\n        + ".join(terms)


def shader(layers):
    passes = list(zip(layers[::2], layers[1::2]))
    text = [HEAD, FIRST.format(when=WHEN, luma=LUMA, hidden=hidden_of_luma(passes[0][0]), stored=stored(passes[0][1]))]
    for source, (hidden, out) in enumerate(passes[1:], 1):
        last = source + 1 == len(passes)
        text.append(NEXT.format(
            when=WHEN, picture="//!BIND HOOKED\n" if last else "", source=source, number=source + 1,
            hidden=hidden_of_texture(hidden, source), stored=stored(out, residual=last)))
    return "".join(text) + PICTURE.format(when=WHEN, luma=LUMA)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.stdout.write(shader(json.loads(Path(sys.argv[1]).read_text())["layers"]))


if __name__ == "__main__":
    main()
