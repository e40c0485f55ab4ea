//! A small network as an mpv user shader: each layer becomes passes of four features, the last pass puts sub-pixels in place.

use std::fmt::Write as _;

use crate::smallnet::{Activation, Base, Edge, Form, Layer, Net, NotSmall, Read};

/// Most multiply-adds per pixel: four times those of Anime4K VL. Larger networks are for `kizunasr`.
const MAX_MACS: usize = 36_000;
/// Most textures that a pass binds, as in mpv.
const MAX_BINDS: usize = 16;
/// Filters, sub-pixels and channels come in fours: as many as a texel has.
const GROUP: usize = 4;

/// The text of a shader file that runs `net`; `title` is what its passes are called.
///
/// Networks of one channel hook `LUMA`, those of three `MAIN`. An enlarging network runs where the output is larger by more
/// than a fifth of what it adds. Features are kept in half floats.
///
/// # Errors
/// [`NotSmall`] where the network is too large, or does what passes cannot.
pub fn write(net: &Net, title: &str) -> Result<String, NotSmall> {
    check(net).map_err(NotSmall)?;
    let stage = if net.channels == 1 { "LUMA" } else { "MAIN" };
    let writer = Writer { net, title, stage };
    let mut text = String::new();
    for (i, layer) in net.layers.iter().enumerate() {
        for group in 0..layer.outputs.div_ceil(GROUP) {
            writer.layer(i + 1, layer, group, &mut text);
        }
    }
    writer.tail(&mut text);
    Ok(text)
}

fn check(net: &Net) -> Result<(), String> {
    if !matches!(net.channels, 1 | 3) {
        return Err(format!("it takes {} channels; passes take luma or RGB", net.channels));
    }
    if net.outputs() != net.channels {
        return Err(format!("it makes {} channels of {}", net.outputs(), net.channels));
    }
    if net.tail.reduction.is_some() {
        return Err("it makes its result smaller again".into());
    }
    if net.macs() > MAX_MACS {
        let macs = net.macs();
        return Err(format!("it has {macs} multiply-adds a pixel; passes take {MAX_MACS}"));
    }
    let textures = |channels: usize| channels.div_ceil(GROUP);
    for layer in &net.layers {
        let mut features: Vec<_> = layer.reads.iter().map(|r| r.feature).collect();
        features.extend(layer.add.map(|add| add.feature));
        features.sort_unstable();
        features.dedup();
        let binds: usize = features.iter().map(|&f| textures(net.channels_of(f))).sum();
        if binds > MAX_BINDS {
            return Err(format!("a layer reads {binds} textures; passes bind {MAX_BINDS}"));
        }
    }
    Ok(())
}

struct Writer<'a> {
    net: &'a Net,
    title: &'a str,
    stage: &'a str,
}

/// What a layer does with one texture of four channels.
struct Input {
    name: String,
    channels: usize,
    /// How it is read, and which of the layer's inputs its first channel is then.
    forms: Vec<(Form, usize)>,
}

impl Writer<'_> {
    /// The texture of features `4 * group..` that layer `feature` made.
    fn name(&self, feature: usize, group: usize) -> String {
        match feature {
            0 => "HOOKED".into(),
            _ => format!("kizuna_{feature}_{group}"),
        }
    }

    fn header(&self, what: &str, binds: &[String], text: &mut String) {
        let Self { title, stage, net } = self;
        let _ = writeln!(text, "//!HOOK {stage}\n//!DESC {title}: {what}");
        for bind in binds {
            let _ = writeln!(text, "//!BIND {bind}");
        }
        let factor = net.scale();
        if factor > 1 {
            let least = 1.0 + 0.2 * (factor - 1) as f64;
            let _ = writeln!(
                text,
                "//!WHEN OUTPUT.w HOOKED.w {least:?} * > OUTPUT.h HOOKED.h {least:?} * > *"
            );
        }
    }

    /// The textures that `layer` reads, each once.
    fn inputs(&self, layer: &Layer) -> Vec<Input> {
        let mut inputs: Vec<Input> = Vec::new();
        let mut first = 0;
        for &Read { feature, form } in &layer.reads {
            let channels = self.net.channels_of(feature);
            for group in 0..channels.div_ceil(GROUP) {
                let name = self.name(feature, group);
                let use_ = (form, first + group * GROUP);
                match inputs.iter_mut().find(|input| input.name == name) {
                    Some(input) => input.forms.push(use_),
                    None => {
                        let channels = GROUP.min(channels - group * GROUP);
                        inputs.push(Input { name, channels, forms: vec![use_] });
                    }
                }
            }
            first += channels;
        }
        inputs
    }

    /// The pass that makes features `4 * group..` of layer `index`.
    fn layer(&self, index: usize, layer: &Layer, group: usize, text: &mut String) {
        let inputs = self.inputs(layer);
        let filters = group * GROUP..layer.outputs.min((group + 1) * GROUP);
        let mut binds: Vec<_> = inputs.iter().map(|input| input.name.clone()).collect();
        let add = layer.add.map(|add| (self.name(add.feature, group), add.form));
        if let Some((name, _)) = &add
            && !binds.contains(name)
        {
            binds.push(name.clone());
        }
        self.header(&format!("layer {index}.{}", group + 1), &binds, text);
        let _ = writeln!(text, "//!SAVE {}", self.name(index, group));
        let _ = writeln!(text, "//!COMPONENTS {}", filters.len());
        if layer.edge == Edge::Zero && layer.side > 1 {
            for name in &binds {
                let _ = writeln!(
                    text,
                    "#define {name}_at(o) ({name}_texOff(o) * float(all(lessThan(abs({name}_pos + (o) * {name}_pt - 0.5), vec2(0.5)))))"
                );
            }
        }
        let _ = writeln!(text, "vec4 hook() {{\n    vec4 t;");
        let bias = |i: usize| filters.clone().nth(i).map_or(0.0, |filter| layer.bias[filter]);
        let _ = writeln!(text, "    vec4 sum = {};", vector((0..GROUP).map(bias)));
        for input in &inputs {
            for tap in 0..layer.side * layer.side {
                self.tap(layer, input, tap, filters.clone(), text);
            }
        }
        match &layer.activation {
            Activation::None => {}
            Activation::Relu => {
                let _ = writeln!(text, "    sum = max(sum, 0.0);");
            }
            Activation::Slopes(slopes) => {
                let slope = |i: usize| filters.clone().nth(i).map_or(0.0, |filter| slopes[filter]);
                let slopes = vector((0..GROUP).map(slope));
                let _ = writeln!(text, "    sum = max(sum, 0.0) + {slopes} * min(sum, 0.0);");
            }
        }
        if let Some((name, form)) = add {
            let _ =
                writeln!(text, "    sum += {};", formed(form, &format!("{name}_tex({name}_pos)")));
        }
        let _ = writeln!(text, "    return sum;\n}}\n");
    }

    /// What one texel of `input` adds to the sums.
    fn tap(
        &self,
        layer: &Layer,
        input: &Input,
        tap: usize,
        filters: std::ops::Range<usize>,
        text: &mut String,
    ) {
        let (side, reach) = (layer.side, (layer.side / 2) as i32);
        let (x, y) = ((tap % side) as i32 - reach, (tap / side) as i32 - reach);
        let all: usize = layer.reads.iter().map(|read| self.net.channels_of(read.feature)).sum();
        let read = match (layer.edge, x, y) {
            (_, 0, 0) => format!("{0}_tex({0}_pos)", input.name),
            (Edge::Zero, ..) => format!("{}_at(vec2({x}.0, {y}.0))", input.name),
            (Edge::Clamp, ..) => format!("{}_texOff(vec2({x}.0, {y}.0))", input.name),
        };
        let _ = writeln!(text, "    t = {read};");
        for &(form, first) in &input.forms {
            let weight = |channel: usize, i: usize| {
                let filter = filters.clone().nth(i)?;
                Some(layer.weights[(filter * all + first + channel) * side * side + tap])
            };
            let column = |channel| (0..GROUP).map(move |i| weight(channel, i).unwrap_or(0.0));
            let values = (0..input.channels).flat_map(column);
            let letters = &"rgba"[..input.channels];
            let value = formed(form, &format!("t.{letters}"));
            let _ = match input.channels {
                1 => writeln!(text, "    sum += {} * {value};", vector(values)),
                n => writeln!(text, "    sum += mat{n}x4({}) * {value};", list(values)),
            };
        }
    }

    /// The pass that puts sub-pixels in place.
    fn tail(&self, text: &mut String) {
        let Self { net, .. } = self;
        let tail = &net.tail;
        let (last, factor) = (net.layers.len(), tail.factor);
        let groups = net.channels_of(last).div_ceil(GROUP);
        let names: Vec<_> = (0..groups).map(|group| self.name(last, group)).collect();
        let mut binds = names.clone();
        binds.push("HOOKED".into());
        self.header("picture", &binds, text);
        if factor > 1 {
            let _ = writeln!(text, "//!WIDTH HOOKED.w {factor} *\n//!HEIGHT HOOKED.h {factor} *");
        }
        let _ = writeln!(text, "vec4 hook() {{");
        let first = &names[0];
        let _ = writeln!(text, "    vec2 at = {first}_pos * {first}_size;");
        let _ = writeln!(text, "    ivec2 part = ivec2(fract(at) * {factor}.0);");
        let _ = writeln!(text, "    ivec2 texel = ivec2(at);");
        let fours = names.iter().map(|name| format!("texelFetch({name}_raw, texel, 0)"));
        let _ = writeln!(
            text,
            "    vec4 all[{groups}] = vec4[]({});",
            fours.collect::<Vec<_>>().join(", ")
        );
        let places = tail.subpixels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let count = tail.subpixels.len();
        let _ = writeln!(text, "    int places[{count}] = int[]({places});");
        let _ = writeln!(text, "    int first = part.y * {factor} + part.x;");
        let base = match tail.base {
            None => "vec4(0.0, 0.0, 0.0, HOOKED_tex(HOOKED_pos).a)",
            Some(Base::Nearest) => "HOOKED_mul * texelFetch(HOOKED_raw, texel, 0)",
            Some(Base::Bilinear) => "HOOKED_tex(HOOKED_pos)",
        };
        let _ = writeln!(text, "    vec4 sum = {base};");
        for channel in 0..net.outputs() {
            let place = format!("places[first + {}]", channel * factor * factor);
            let letter = ["r", "g", "b", "a"][channel];
            let _ = writeln!(text, "    sum.{letter} += all[{place} / 4][{place} % 4];");
        }
        if let Some((low, high)) = tail.clip {
            let (low, high) = (low.max(f32::MIN), high.min(f32::MAX));
            let _ = writeln!(text, "    sum = clamp(sum, {low:?}, {high:?});");
        }
        let _ = writeln!(text, "    return sum;\n}}");
    }
}

fn formed(form: Form, value: &str) -> String {
    match form {
        Form::Plain => value.to_owned(),
        Form::Rectified => format!("max({value}, 0.0)"),
        Form::NegatedRectified => format!("max(-{value}, 0.0)"),
    }
}

fn vector(values: impl Iterator<Item = f32>) -> String {
    format!("vec4({})", list(values))
}

fn list(values: impl Iterator<Item = f32>) -> String {
    values.map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", ")
}
