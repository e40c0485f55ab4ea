//! What only running a network can tell: how its output's size follows, which sizes it takes, and how far it looks.
//!
//! What the graph proves is not measured again. The pictures are small, the runs few: one for a network that the graph
//! describes wholly, about a dozen for one that it does not.

use serde::{Deserialize, Serialize};

use super::error::{ModelError, Rule};
use super::graph::{Graph, Reach};
use super::test_card::{place, test_picture};
use crate::engine::{EngineError, Halo, ModelSource, ValueRange};
use crate::upscale::{Ratio, Samples, Shape, Tensor, geometry::align_up};

/// Runs a network on a tensor of any size that its ports allow.
pub type Runner<'a> = dyn FnMut(&Tensor) -> Result<Tensor, EngineError> + 'a;

/// Radii above this are measured, even where the graph gives an exact one: the exact one would cost more than it is worth.
pub const MAX_EXACT_RADIUS: usize = 32;

/// Largest radius looked for, px. What does not close within it is taken as open.
const MAX_RADIUS: usize = 64;

/// Side of the square in the middle whose outputs are compared, px.
const CORE: usize = 8;

/// Radii up to this, px, are taken as they are measured.
const SHARP: usize = 16;

/// What an engine may let change by rounding beyond the radius that the graph proves, in halves of a code.
const ROUNDING: f32 = 1.0 / 8.0;

/// Side of the first picture, px.
const SIDE: usize = 64;

/// What running a network has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Output pixels per input pixel.
    pub scale: Ratio,
    /// Width and height must be multiples of this.
    pub alignment: usize,
    /// Smallest width and height in px, a multiple of `alignment`.
    pub min_size: usize,
    /// How far it looks; `None` where it was not asked for.
    pub halo: Option<Halo>,
    /// What is odd.
    pub warnings: Vec<String>,
    /// Whether the network ran; else it is what the graph proves.
    pub has_run: bool,
}

/// What the caller knows already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Value range to feed.
    pub range: ValueRange,
    /// A halo from a card: none is measured.
    pub has_halo: bool,
    /// An alignment from a card: none is measured.
    pub alignment: Option<usize>,
}

/// Measures the network that `run` runs and `graph` describes.
///
/// # Errors
/// [`ModelError::Probe`] where it cannot be run at all, or a run is cancelled or out of memory; [`ModelError::Refused`] where
/// its output breaks a rule.
pub fn probe(
    source: &ModelSource,
    graph: &Graph,
    known: Known,
    run: &mut Runner,
) -> Result<Measured, ModelError> {
    let mut probe = Probe { name: &source.name, graph, known, run, warnings: Vec::new() };
    let (base, output) = probe.first_run()?;
    probe.look_at_values(base, &output)?;
    let scale = probe.scale(base, output.shape)?;
    let alignment = probe.alignment(base.0, scale)?;
    let min_size = probe.min_size(base.0, alignment, scale)?;
    let halo = if known.has_halo { None } else { Some(probe.halo(alignment, min_size)?) };
    Ok(Measured { scale, alignment, min_size, halo, warnings: probe.warnings, has_run: true })
}

/// What [`probe`] would find, where the graph alone proves it; `None` where only a run can tell.
///
/// A run would also show whether the engine keeps to it, so this is for models that are known to run.
pub fn proven(graph: &Graph, known: Known) -> Option<Measured> {
    let Reach::Exact(px) = graph.reach else { return None };
    let input = &graph.input;
    let takes_any_size = input.width.is_none() && input.height.is_none();
    let is_plain = graph.is_aligned() && takes_any_size && known.alignment.is_none();
    (is_plain && px <= MAX_EXACT_RADIUS).then_some(Measured {
        scale: graph.scale?,
        alignment: 1,
        min_size: graph.min_size,
        halo: (!known.has_halo).then_some(Halo::Exact(px)),
        warnings: Vec::new(),
        has_run: false,
    })
}

struct Probe<'a, 'r> {
    name: &'a str,
    graph: &'a Graph,
    known: Known,
    run: &'a mut Runner<'r>,
    warnings: Vec<String>,
}

/// Width and height, px.
type Side = (usize, usize);

impl Probe<'_, '_> {
    fn fixed(&self) -> Option<Side> {
        let input = &self.graph.input;
        input.width.zip(input.height)
    }

    /// `side` with what the graph fixes put in.
    fn within_ports(&self, side: Side) -> Side {
        let input = &self.graph.input;
        (input.width.unwrap_or(side.0), input.height.unwrap_or(side.1))
    }

    fn picture(&self, side: Side, seed: u32) -> Tensor {
        let input = &self.graph.input;
        let (width, height) = self.within_ports(side);
        let batch = input.batch.unwrap_or(1);
        let shape = Shape { batch, channels: input.channels, height, width };
        test_picture(shape, input.layout, input.element, self.known.range, seed)
    }

    /// Runs it; the output's shape is read in the layout that the graph tells.
    fn run(&mut self, input: &Tensor) -> Result<Tensor, EngineError> {
        let mut output = (self.run)(input)?;
        let layout = self.graph.output.layout;
        output.shape = Shape::from_dims(output.dims(), layout);
        output.layout = layout;
        Ok(output)
    }

    fn cause(&self, cause: EngineError) -> ModelError {
        ModelError::Probe { model: self.name.into(), cause }
    }

    fn refuse(&self, rule: Rule) -> ModelError {
        ModelError::refused(self.name, rule)
    }

    /// The first size that runs, and its output. Window networks take multiples of 7, 12 or 48 alone, so a few are tried.
    fn first_run(&mut self) -> Result<(Side, Tensor), ModelError> {
        let step = self.known.alignment.unwrap_or(1);
        let step = if step == 1 { self.graph.alignment } else { step };
        let least = SIDE.max(self.graph.min_size);
        let mut first_error = None;
        for multiple in [step, 7, 48] {
            let side = align_up(least, multiple.clamp(1, 1024));
            let picture = self.picture((side, side), 1);
            match self.run(&picture) {
                Ok(output) => return Ok(((picture.shape.width, picture.shape.height), output)),
                Err(error) if is_final(&error) => return Err(self.cause(error)),
                Err(error) => _ = first_error.get_or_insert(error),
            }
            if self.fixed().is_some() {
                break;
            }
        }
        let error = first_error.unwrap_or_else(|| EngineError::Run("no size was tried".into()));
        Err(self.cause(error))
    }

    /// Refuses what is not a picture; warns where the value range looks wrong.
    fn look_at_values(&mut self, base: Side, output: &Tensor) -> Result<(), ModelError> {
        let want = self.graph.output.channels;
        if output.shape.channels != want {
            let (input, output) = (self.graph.input.channels, output.shape.channels);
            return Err(self.refuse(Rule::ChannelsDiffer { input, output }));
        }
        if (0..output.shape.elements()).any(|i| !get(output, i).is_finite()) {
            return Err(self.refuse(Rule::NotFinite));
        }
        let (factor, offset) = self.known.range.to_unit();
        let mean = |t: &Tensor| {
            let n = t.shape.elements().max(1);
            ((0..n).map(|i| f64::from(get(t, i))).sum::<f64>() / n as f64) as f32 * factor + offset
        };
        let (before, after) = (mean(&self.picture(base, 1)), mean(output));
        if (before - after).abs() > 0.25 {
            self.warnings.push(format!(
                "a picture of mean brightness {before:.2} comes out with {after:.2}: if colours look wrong, give its value \
                 range in a sidecar (range = \"unit\", \"signed\" or \"byte\")"
            ));
        }
        Ok(())
    }

    /// The factor from `base` to `shape`, the same for another size.
    fn scale(&mut self, base: Side, shape: Shape) -> Result<Ratio, ModelError> {
        let wrong = |side: Side, shape: Shape| Rule::OutputSize {
            input: format!("{}x{}", side.0, side.1),
            output: format!("{}x{}", shape.width, shape.height),
        };
        if let Some(scale) = self.graph.scale {
            return match is_scaled(base, shape, scale) {
                true => Ok(scale),
                false => Err(self.refuse(wrong(base, shape))),
            };
        }
        let scale = Ratio::new(shape.width, base.0).filter(|&scale| is_scaled(base, shape, scale));
        let scale = scale.ok_or_else(|| self.refuse(wrong(base, shape)))?;
        if self.fixed().is_none() {
            let other = (base.0 * 3 / 2, base.1 * 3 / 2);
            let picture = self.picture(other, 1);
            let other = (picture.shape.width, picture.shape.height);
            match self.run(&picture) {
                Ok(output) if !is_scaled(other, output.shape, scale) => {
                    return Err(self.refuse(wrong(other, output.shape)));
                }
                Err(error) if is_final(&error) => return Err(self.cause(error)),
                _ => {}
            }
        }
        Ok(scale)
    }

    /// Whether the network takes a picture of this size and gives one `scale` times as large.
    fn takes(&mut self, side: usize, scale: Ratio) -> Result<bool, ModelError> {
        let picture = self.picture((side, side), 1);
        match self.run(&picture) {
            Ok(output) => {
                Ok(is_scaled((picture.shape.width, picture.shape.height), output.shape, scale))
            }
            Err(error) if is_final(&error) => Err(self.cause(error)),
            Err(_) => Ok(false),
        }
    }

    fn alignment(&mut self, base: usize, scale: Ratio) -> Result<usize, ModelError> {
        if let Some(alignment) = self.known.alignment {
            return Ok(alignment);
        }
        let graph = self.graph;
        if graph.is_aligned() || self.fixed().is_some() {
            return Ok(1);
        }
        let mut steps = vec![1, 2, 4, 8, 16, 32];
        steps.extend([3, 6, 7, 12, 24, 48].into_iter().filter(|step| base.is_multiple_of(*step)));
        steps.push(graph.alignment);
        steps.retain(|step| base.is_multiple_of(*step) && *step <= base);
        steps.sort_unstable();
        steps.dedup();
        for step in steps {
            if self.takes(base + step, scale)? {
                return Ok(step);
            }
        }
        Ok(base)
    }

    /// The graph's smallest size where a run confirms it, else the first larger one that runs.
    fn min_size(
        &mut self,
        base: usize,
        alignment: usize,
        scale: Ratio,
    ) -> Result<usize, ModelError> {
        if let Some((width, height)) = self.fixed() {
            return Ok(width.min(height));
        }
        let mut side = align_up(self.graph.min_size, alignment);
        while side < base && !self.takes(side, scale)? {
            side = align_up(side * 3 / 2 + 1, alignment);
        }
        Ok(side.min(base))
    }

    fn halo(&mut self, alignment: usize, min_size: usize) -> Result<Halo, ModelError> {
        match self.graph.reach.clone() {
            Reach::Open(_) => Ok(Halo::Open),
            Reach::Exact(px) if px <= MAX_EXACT_RADIUS => self.confirm(px, alignment, min_size),
            Reach::Exact(px) => self.measure(px.min(MAX_RADIUS), alignment, min_size),
            Reach::Unknown(_) => self.measure(MAX_RADIUS, alignment, min_size),
        }
    }

    /// Checks the graph's radius: with everything beyond it replaced, nothing may change but by rounding.
    fn confirm(
        &mut self,
        px: usize,
        alignment: usize,
        min_size: usize,
    ) -> Result<Halo, ModelError> {
        let side = self.side_for(px, alignment, min_size);
        if self.room(side) < px {
            return Ok(Halo::Exact(px));
        }
        let plain = self.output(side, None)?;
        let change = self.change(&plain, side, px)?;
        if change > self.half_code() {
            self.warnings.push(format!(
                "the graph's halo of {px} px does not hold ({change}): measured instead"
            ));
            return self.measure(MAX_RADIUS, alignment, min_size);
        }
        if change > self.half_code() * ROUNDING {
            self.warnings.push(format!(
                "beyond {px} px nothing counts, but this engine's kernels let it change the result by {change}"
            ));
            return Ok(Halo::Measured(px));
        }
        Ok(Halo::Exact(px))
    }

    /// The least radius beyond which nothing changes by half a code of 255, up to `limit`.
    fn measure(
        &mut self,
        limit: usize,
        alignment: usize,
        min_size: usize,
    ) -> Result<Halo, ModelError> {
        let side = self.side_for(limit, alignment, min_size);
        let room = self.room(side);
        let limit = limit.min(room.saturating_sub(CORE));
        let plain = self.output(side, None)?;
        if self.change(&plain, side, limit)? > self.half_code() {
            return Ok(Halo::Open);
        }
        let (mut low, mut high) = (0, limit);
        // To the pixel where it is small; large radii, of slow networks, to a sixteenth.
        while high - low > high / 16 {
            let middle = (low + high) / 2;
            if self.change(&plain, side, middle)? > self.half_code() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // One core of one picture is a sample and no bound. Small radii end sharply; large ones fade out, and get half as
        // much again: for x4plus-anime 48 px, beyond which a picture replaced altogether changes 0.11 codes.
        Ok(Halo::Measured(if high > SHARP { high + high / 2 } else { high }))
    }

    /// The picture's side for a radius: the core, the radius and something beyond it to be replaced.
    fn side_for(&self, px: usize, alignment: usize, min_size: usize) -> Side {
        let side = align_up((CORE + 2 * px + 2 * CORE).max(min_size), alignment);
        self.within_ports((side, side))
    }

    /// The largest radius around the core that a picture of this side has.
    fn room(&self, side: Side) -> usize {
        (side.0.min(side.1).saturating_sub(CORE)) / 2
    }

    fn output(&mut self, side: Side, keep: Option<usize>) -> Result<Tensor, ModelError> {
        let mut picture = self.picture(side, 1);
        if let Some(radius) = keep {
            let other = self.picture(side, 1009);
            replace_beyond(&mut picture, &other, radius);
        }
        self.run(&picture).map_err(|error| self.cause(error))
    }

    /// The largest change in the core when everything beyond `radius` around it is replaced.
    fn change(&mut self, plain: &Tensor, side: Side, radius: usize) -> Result<f32, ModelError> {
        let changed = self.output(side, Some(radius))?;
        let (shape, layout) = (plain.shape, plain.layout);
        if changed.shape != shape {
            return Ok(f32::MAX);
        }
        let mut largest: f32 = 0.0;
        for i in 0..shape.elements() {
            let (_, _, y, x) = place(i, shape, layout);
            let is_core = |at: usize, out: usize, side: usize| {
                // The input pixel that this output belongs to.
                let at = at * side / out.max(1);
                (core(side)..core(side) + CORE).contains(&at)
            };
            if is_core(y, shape.height, side.1) && is_core(x, shape.width, side.0) {
                largest = largest.max((get(plain, i) - get(&changed, i)).abs());
            }
        }
        Ok(largest)
    }

    /// Half a code of 255 in the output's own numbers.
    fn half_code(&self) -> f32 {
        0.5 / 255.0 * self.known.range.from_unit().0
    }
}

/// First pixel of the core along a side.
const fn core(side: usize) -> usize {
    side.saturating_sub(CORE) / 2
}

/// Takes from `other` all pixels farther than `radius` from the core.
fn replace_beyond(picture: &mut Tensor, other: &Tensor, radius: usize) {
    let (shape, layout) = (picture.shape, picture.layout);
    let is_near =
        |at: usize, side: usize| at + radius >= core(side) && at < core(side) + CORE + radius;
    for i in 0..shape.elements() {
        let (_, _, y, x) = place(i, shape, layout);
        if is_near(y, shape.height) && is_near(x, shape.width) {
            continue;
        }
        match (&mut picture.samples, &other.samples) {
            (Samples::F32(a), Samples::F32(b)) => a[i] = b[i],
            (Samples::F16(a), Samples::F16(b)) => a[i] = b[i],
            (Samples::U8(a), Samples::U8(b)) => a[i] = b[i],
            _ => {}
        }
    }
}

fn is_scaled(side: Side, shape: Shape, scale: Ratio) -> bool {
    scale.exactly(side.0) == Some(shape.width) && scale.exactly(side.1) == Some(shape.height)
}

/// Errors that say nothing about the size that was tried.
fn is_final(error: &EngineError) -> bool {
    matches!(error, EngineError::Cancelled | EngineError::OutOfMemory(_))
}

/// Element `i` as a number; NaN where a tensor is shorter than its shape.
fn get(tensor: &Tensor, i: usize) -> f32 {
    match &tensor.samples {
        Samples::F32(v) => v.get(i).copied(),
        Samples::F16(v) => v.get(i).map(|v| v.to_f32()),
        Samples::U8(v) => v.get(i).map(|&v| v.into()),
    }
    .unwrap_or(f32::NAN)
}
