//! A network in plain loops: slow, obvious, and what every back end is compared with.

use super::{Base, Edge, Layer, Net, Read, Reduction};

/// A feature: planes of `width * height` samples, one after the other.
struct Feature<'a> {
    samples: &'a [f32],
    width: usize,
    height: usize,
}

impl Feature<'_> {
    /// The sample at (`x`, `y`), which may lie one pixel beyond the picture.
    fn at(&self, channel: usize, x: isize, y: isize, edge: Edge) -> f32 {
        let (width, height) = (self.width as isize, self.height as isize);
        if edge == Edge::Zero && !((0..width).contains(&x) && (0..height).contains(&y)) {
            return 0.0;
        }
        let (x, y) = (x.clamp(0, width - 1) as usize, y.clamp(0, height - 1) as usize);
        self.samples[(channel * self.height + y) * self.width + x]
    }
}

/// Runs `net` on a picture of `width` by `height` px: planes of `net.channels` in, planes of `net.outputs()` out, each
/// [`Net::scale`] times as wide and as high.
///
/// # Panics
/// If `input` is shorter than that.
pub fn run(net: &Net, input: &[f32], width: usize, height: usize) -> Vec<f32> {
    let mut features = vec![input.to_vec()];
    for layer in &net.layers {
        let made = convolve(net, layer, &features, width, height);
        features.push(made);
    }
    let feature = |samples| Feature { samples, width, height };
    let (picture, last) = (feature(&features[0]), feature(&features[net.layers.len()]));
    let mut output = enlarge(net, &picture, &last);
    if let Some(reduction) = &net.tail.reduction {
        let r = net.tail.factor;
        let enlarged = Feature { samples: &output, width: width * r, height: height * r };
        output = reduce(reduction, &enlarged, net.outputs());
    }
    if let Some((low, high)) = net.tail.clip {
        // `clamp` keeps NaN.
        output.iter_mut().for_each(|sample| *sample = sample.clamp(low, high));
    }
    output
}

/// Sub-pixels side by side, over the enlarged input.
fn enlarge(net: &Net, picture: &Feature, last: &Feature) -> Vec<f32> {
    let (r, width, height) = (net.tail.factor, picture.width, picture.height);
    let mut output = Vec::with_capacity(net.outputs() * width * r * height * r);
    for c in 0..net.outputs() {
        for (y, x) in (0..height * r).flat_map(|y| (0..width * r).map(move |x| (y, x))) {
            let subpixel = net.tail.subpixels[(c * r + y % r) * r + x % r];
            let mut sum = last.at(subpixel, (x / r) as isize, (y / r) as isize, Edge::Clamp);
            sum += match net.tail.base {
                None => 0.0,
                Some(Base::Nearest) => {
                    picture.at(c, (x / r) as isize, (y / r) as isize, Edge::Clamp)
                }
                Some(Base::Bilinear) => bilinear(picture, c, x, y, r),
            };
            output.push(sum);
        }
    }
    output
}

fn reduce(reduction: &Reduction, enlarged: &Feature, channels: usize) -> Vec<f32> {
    let Reduction { stride, up, side, before, weights } = reduction;
    let (width, height) = (enlarged.width / stride * up, enlarged.height / stride * up);
    let mut output = Vec::with_capacity(channels * width * height);
    for c in 0..channels {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let first = ((c * up + y % up) * up + x % up) * side * side;
            let at = |i: usize| (i / up * stride) as isize - *before as isize;
            let taps = (0..side * side).map(|tap| {
                let (dy, dx) = ((tap / side) as isize, (tap % side) as isize);
                weights[first + tap] * enlarged.at(c, at(x) + dx, at(y) + dy, Edge::Clamp)
            });
            output.push(taps.sum());
        }
    }
    output
}

fn convolve(
    net: &Net,
    layer: &Layer,
    features: &[Vec<f32>],
    width: usize,
    height: usize,
) -> Vec<f32> {
    // Every channel that is read, in the order of the weights.
    let channels = |&read: &Read| (0..net.channels_of(read.feature)).map(move |c| (read, c));
    let inputs: Vec<_> = layer.reads.iter().flat_map(channels).collect();
    let feature = |i: usize| Feature { samples: &features[i], width, height };
    let (side, reach) = (layer.side, (layer.side / 2) as isize);
    let mut made = Vec::with_capacity(layer.outputs * width * height);
    for o in 0..layer.outputs {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let (y, x) = (y as isize, x as isize);
            let mut sum = layer.bias[o];
            for (i, &(read, c)) in inputs.iter().enumerate() {
                for tap in 0..side * side {
                    let (dy, dx) = ((tap / side) as isize - reach, (tap % side) as isize - reach);
                    let sample = feature(read.feature).at(c, x + dx, y + dy, layer.edge);
                    let weight = layer.weights[(o * inputs.len() + i) * side * side + tap];
                    sum += weight * read.form.of(sample);
                }
            }
            let sum = layer.activation.of(o, sum);
            let more = layer
                .add
                .map_or(0.0, |add| add.form.of(feature(add.feature).at(o, x, y, Edge::Clamp)));
            made.push(sum + more);
        }
    }
    made
}

/// The sample at (`x`, `y`) of the picture enlarged `r` times.
fn bilinear(picture: &Feature, c: usize, x: usize, y: usize, r: usize) -> f32 {
    let place = |i: usize| {
        let at = (i as f32 + 0.5) / r as f32 - 0.5;
        (at.floor() as isize, at - at.floor())
    };
    let ((x, right), (y, down)) = (place(x), place(y));
    let row = |y| {
        let (a, b) = (picture.at(c, x, y, Edge::Clamp), picture.at(c, x + 1, y, Edge::Clamp));
        a * (1.0 - right) + b * right
    };
    row(y) * (1.0 - down) + row(y + 1) * down
}
