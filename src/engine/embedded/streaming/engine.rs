//! The kernels for tensors: panels and strips of a picture on all cores.

use std::sync::Arc;

use rayon::prelude::*;

use super::super::pictures::{self, Upscaling};
use super::Streaming;
use crate::engine::rows::RowNetwork;
use crate::engine::signature::Outlet;
use crate::engine::{Cancel, Engine, EngineError, EngineInfo};
use crate::upscale::{Rect, Size, Tensor};

/// Fewest rows of a strip, in multiples of the halo: its margin is computed twice.
const LEAST_HALOS: usize = 8;

/// An engine that takes planes of 32-bit floats.
pub(in super::super) struct TensorEngine {
    info: EngineInfo,
    network: Arc<Streaming>,
    input: Outlet,
}

impl TensorEngine {
    /// `input` is what the graph says of its input.
    pub fn new(network: Arc<Streaming>, info: EngineInfo, input: Outlet) -> Self {
        Self { info, network, input }
    }
}

impl Engine for TensorEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn rows(&self) -> Option<Arc<dyn RowNetwork>> {
        let is_alike = self.network.outputs() == self.network.channels();
        is_alike.then(|| self.network.clone() as Arc<dyn RowNetwork>)
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let network = &*self.network;
        let (channels, outputs) = (network.channels(), network.outputs());
        let upscaling = Upscaling { channels, outputs, scale: network.scale() };
        pictures::run(upscaling, &self.input, input, output, |picture, size, result| {
            run_picture(network, size, picture, result, cancel)
        })
    }
}

/// A part of the picture and the places of its result, by channel, then by row.
struct Job<'a> {
    part: Rect,
    rows: Vec<&'a mut [f32]>,
}

fn run_picture(
    network: &Streaming,
    size: Size,
    picture: &[f32],
    result: &mut [f32],
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let jobs = cut(network, size, result);
    jobs.into_par_iter().try_for_each(|Job { part, mut rows }| {
        let height = part.height * network.scale();
        let top = part.y * network.scale();
        let mut source = |y: usize, columns: std::ops::Range<usize>, planes: &mut [&mut [f32]]| {
            for (plane, src) in planes.iter_mut().zip(picture.chunks_exact(size.area())) {
                plane.copy_from_slice(&src[y * size.width..][columns.clone()]);
            }
        };
        let mut sink = |y: usize, planes: &[&[f32]]| {
            for (c, plane) in planes.iter().enumerate() {
                rows[c * height + y - top].copy_from_slice(plane);
            }
        };
        network.run(size, part, &mut source, &mut sink, cancel)
    })
}

/// Cuts a picture into parts for all threads.
fn cut<'a>(network: &Streaming, size: Size, result: &'a mut [f32]) -> Vec<Job<'a>> {
    let threads = rayon::current_num_threads();
    let panels = size.width.div_ceil(network.panel_width());
    let width = size.width.div_ceil(panels);
    let strips = threads.div_ceil(panels).min(size.height / (LEAST_HALOS * network.halo().max(1)));
    let height = size.height.div_ceil(strips.max(1));
    let mut jobs = Vec::new();
    for y in (0..size.height).step_by(height) {
        for x in (0..size.width).step_by(width) {
            let part = Rect::new(x, y, width.min(size.width - x), height.min(size.height - y));
            jobs.push(Job { part, rows: Vec::new() });
        }
    }
    let scale = network.scale();
    let across = size.width.div_ceil(width);
    let lines = result.chunks_exact_mut(size.width * scale);
    for (i, line) in lines.enumerate() {
        let y = i % (size.height * scale);
        let row = &mut jobs[y / (height * scale) * across..][..across];
        for (job, samples) in row.iter_mut().zip(line.chunks_mut(width * scale)) {
            job.rows.push(samples);
        }
    }
    jobs
}
