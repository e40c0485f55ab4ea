//! The short way, for networks whose rows flow through all layers at once: samples are read, inferred and written while they
//! are in cache, and no picture is ever made.
//!
//! The frame is cut into strips of rows, one for each thread, and these into panels of columns that are narrow enough for the
//! cache. The network asks for a row of the padded frame: it is decoded, its mirror image put on both sides. The network gives
//! rows of the upscaled panel: as soon as there are enough of them for chroma too, they are encoded into the frame.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::change::{BLOCK, ChangeMap, spread};
use super::decode::{self, Decoder};
use super::encode::{self, Encoder, PartRows};
use super::frame::{BandMut, FrameView, FrameViewMut, OwnedFrame};
use super::geometry::{Rect, Size, mirror};
use super::held::Held;
use super::kernels::all_finite;
use super::network::UpscaleError;
use super::picture::ColorModel;
use super::video::VideoSpec;
use crate::engine::{Cancel, RowNetwork};

/// Rows of a strip at least, in input pixels: each pays for its context above and below.
const LEAST_STRIP: usize = 64;

/// Output rows that are encoded at a time, at least; a multiple of every subsampling factor.
const CHUNK: usize = 32;

/// Upscales frames of one kind, without pictures.
pub struct Stream {
    path: Path,
    input: VideoSpec,
    output: VideoSpec,
    tolerance: Option<u8>,
    held: Held,
}

/// Share of rows to be inferred from which on nothing is kept.
const MOSTLY: f64 = 0.75;

/// The way of a row from frame to frame.
struct Path {
    network: Arc<dyn RowNetwork>,
    decoder: Decoder,
    encoder: Encoder,
    /// The frame that is read.
    size: Size,
    border: usize,
    /// How far a block of it reaches when it is decoded.
    spread: usize,
}

/// One panel of one strip: where it lies, in pixels of the frame that is read.
struct Panel {
    /// What it owns.
    columns: Range<usize>,
    rows: Range<usize>,
    /// What is inferred: more, where the encoder looks beyond.
    part: Rect,
}

impl Stream {
    /// For frames of `input` with `border` pixels of their mirror image, that `network` makes into frames of `output`. Blocks of
    /// at most `tolerance` codes of 255 of difference to the frame before keep their output; `None`: none do.
    ///
    /// `None` where something is to be done that only pictures can do: another size than the network's, alpha, another number
    /// of channels than the picture has.
    pub fn new(
        network: Arc<dyn RowNetwork>,
        border: usize,
        input: VideoSpec,
        output: VideoSpec,
        tolerance: Option<u8>,
    ) -> Option<Self> {
        let size = input.size;
        let scaled = Size::new(size.width * network.scale(), size.height * network.scale());
        let has_alpha = input.format.info().alpha.is_some();
        if scaled != output.size || has_alpha || network.channels() != 3 {
            return None;
        }
        let decoder = Decoder::new(&input, ColorModel::Rgb);
        let encoder = Encoder::new(&output, ColorModel::Rgb);
        let spread = spread(input.format);
        Some(Self {
            path: Path { network, decoder, encoder, size, border, spread },
            input,
            output,
            tolerance,
            held: Held::new(&input, output),
        })
    }

    /// Upscales `src` into `dst`, frames of the kinds given at the start. Returns how many rows of `src` were inferred.
    ///
    /// # Errors
    /// [`super::FrameError::NotAnnounced`]; what the network says; a result that is not finite; [`crate::engine::EngineError::Cancelled`] soon after `cancel` is
    /// raised. After an error `dst` is undefined, and the next frame is inferred whole.
    pub fn run(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        cancel: &Cancel,
    ) -> Result<usize, UpscaleError> {
        self.input.check(src.format(), src.size())?;
        self.output.check(dst.format(), dst.size())?;
        let Self { path, output, tolerance, held, .. } = self;
        let Some(tolerance) = *tolerance else { return path.run_whole(src, dst, cancel) };
        let changes = held.compare(src, tolerance);
        let stale = path.stale_chunks(&changes);
        let share = stale.iter().filter(|&&stale| stale).count() as f64 / stale.len() as f64;
        held.run(src, dst, &changes, share > MOSTLY, |src, dst, kept| match kept {
            Some(kept) => path.run_stale(src, dst, &stale, kept, output, cancel),
            None => path.run_whole(src, dst, cancel),
        })
    }
}

impl Path {
    fn run_whole(
        &self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        cancel: &Cancel,
    ) -> Result<usize, UpscaleError> {
        let strips = rayon::current_num_threads().min(self.size.height / LEAST_STRIP).max(1);
        // Whole chunks, so that strips begin where chroma does.
        let height = self.size.height.div_ceil(strips).next_multiple_of(CHUNK);
        let mut bands = dst.bands(height * self.network.scale());
        bands.par_iter_mut().enumerate().try_for_each_init(Work::default, |work, (i, band)| {
            self.run_strip(
                src,
                band,
                i * height..((i + 1) * height).min(self.size.height),
                work,
                cancel,
            )
        })?;
        Ok(self.size.height)
    }

    /// Infers the chunks of rows that are marked as stale, and copies the others from what was kept.
    fn run_stale(
        &self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        stale: &[bool],
        kept: &mut OwnedFrame,
        output: &VideoSpec,
        cancel: &Cancel,
    ) -> Result<usize, UpscaleError> {
        let height = CHUNK * self.network.scale();
        let VideoSpec { format, size, .. } = *output;
        let (mut bands, mut kept) = (dst.bands(height), kept.view_mut()?);
        let chunks = bands.par_iter_mut().zip(kept.bands(height)).zip(stale).enumerate();
        chunks.try_for_each_init(Work::default, |work, (i, ((band, mut kept), &stale))| {
            if !stale {
                band.copy_from(&kept, format, size);
                return Ok::<(), UpscaleError>(());
            }
            let rows = i * CHUNK..((i + 1) * CHUNK).min(self.size.height);
            self.run_strip(src, band, rows, work, cancel)?;
            kept.copy_from(band, format, size);
            Ok(())
        })?;
        Ok((stale.iter().filter(|&&stale| stale).count() * CHUNK).min(self.size.height))
    }

    /// Which chunks of rows the changed blocks reach: by chroma's interpolation, the network, and chroma's reduction. (What
    /// shows again beyond the edge lies nearer to it than itself.)
    fn stale_chunks(&self, changes: &ChangeMap) -> Vec<bool> {
        let reach = self.spread + self.network.halo() + self.encoder.reach();
        let mut stale = vec![false; self.size.height.div_ceil(CHUNK)];
        for (y, _) in changes.rows().enumerate().filter(|(_, row)| row.contains(&true)) {
            let rows = (y * BLOCK).saturating_sub(reach)..(y + 1) * BLOCK + reach;
            let last = (rows.end - 1) / CHUNK;
            stale
                .iter_mut()
                .take(last + 1)
                .skip(rows.start / CHUNK)
                .for_each(|chunk| *chunk = true);
        }
        stale
    }

    fn run_strip(
        &self,
        src: &FrameView,
        band: &mut BandMut,
        rows: Range<usize>,
        work: &mut Work,
        cancel: &Cancel,
    ) -> Result<(), UpscaleError> {
        self.panels().try_for_each(|columns| {
            let panel = self.panel(columns, rows.clone());
            self.run_panel(src, band, &panel, work, cancel)
        })
    }

    /// The columns of each panel: as even as whole chunks allow.
    fn panels(&self) -> impl Iterator<Item = Range<usize>> {
        let all = self.size.width;
        let count = all.div_ceil(self.network.panel_width().max(CHUNK));
        let width = all.div_ceil(count).next_multiple_of(CHUNK);
        (0..all).step_by(width).map(move |x| x..(x + width).min(all))
    }

    fn panel(&self, columns: Range<usize>, rows: Range<usize>) -> Panel {
        let reach = self.encoder.reach().div_ceil(self.network.scale());
        let grown = |own: &Range<usize>, len: usize| {
            own.start.saturating_sub(reach)..(own.end + reach).min(len)
        };
        let (x, y) = (grown(&columns, self.size.width), grown(&rows, self.size.height));
        let part = Rect::new(x.start + self.border, y.start + self.border, x.len(), y.len());
        Panel { columns, rows, part }
    }

    fn run_panel(
        &self,
        src: &FrameView,
        band: &mut BandMut,
        panel: &Panel,
        work: &mut Work,
        cancel: &Cancel,
    ) -> Result<(), UpscaleError> {
        let Work { decode, encode, rows } = work;
        let scale = self.network.scale();
        let out = |own: &Range<usize>| own.start * scale..own.end * scale;
        let (own, columns) = (out(&panel.rows), out(&panel.columns));
        // From the padded frame to the frame proper.
        let left = (panel.part.x - self.border) * scale;
        rows.begin(left, panel.part.width * scale, self.encoder.reach());
        let (mut next, mut finite) = (own.start, true);
        let last = self.size.height * scale;
        let mut source = |y: usize, columns: Range<usize>, planes: &mut [&mut [f32]]| {
            self.read(src, y, columns, decode, planes);
        };
        let mut sink = |y: usize, planes: &[&[f32]]| {
            let y = y - self.border * scale;
            finite &= planes.iter().all(|row| all_finite(row));
            rows.push(y, planes);
            // Rows whose chroma has all that it looks at.
            let ready =
                if y + 1 == last { last } else { (y + 1).saturating_sub(self.encoder.reach()) };
            let end = ready.min(own.end);
            if end == own.end || end >= next + CHUNK {
                let end = if end == own.end { end } else { end / CHUNK * CHUNK };
                if end > next {
                    self.encoder.part(band, next..end, columns.clone(), &*rows, encode);
                    next = end;
                }
            }
        };
        let padded = self.size.grown(self.border);
        self.network.run(padded, panel.part, &mut source, &mut sink, cancel)?;
        if !finite {
            return Err(UpscaleError::NotFinite { x: panel.part.x, y: panel.part.y });
        }
        Ok(())
    }

    /// Decodes `columns` of row `y` of the padded frame.
    fn read(
        &self,
        src: &FrameView,
        y: usize,
        columns: Range<usize>,
        work: &mut decode::Work,
        planes: &mut [&mut [f32]],
    ) {
        let (size, border) = (self.size, self.border as isize);
        let shown = |x: usize, len: usize| mirror(x as isize - border, len);
        let row = shown(y, size.height);
        // What of the padded frame is the frame itself; the rest shows some of it again.
        let (first, end) = (self.border, self.border + size.width);
        let inside = columns.start.max(first).min(end)..columns.end.min(end).max(first);
        let mirrored = columns.clone().filter(|x| !inside.contains(x));
        let seen = mirrored.map(|x| shown(x, size.width));
        let own = inside.start - first..inside.end - first;
        let from = seen.clone().min().map_or(own.start, |x| x.min(own.start));
        let to = seen.max().map_or(own.end, |x| (x + 1).max(own.end));
        let skipped = inside.start - columns.start;
        if (from, to) == (own.start, own.end) {
            let mut parts: Vec<_> = planes.iter_mut().map(|p| &mut p[skipped..]).collect();
            self.decoder.part(src, row..row + 1, own, work, &mut parts);
            for plane in planes.iter_mut() {
                for x in columns.clone().filter(|x| !inside.contains(x)) {
                    plane[x - columns.start] = plane[shown(x, size.width) - from + skipped];
                }
            }
            return;
        }
        // A sliver, whose mirror image shows more of the frame than itself.
        let mut rows = [(); 3].map(|()| vec![0.0; to - from]);
        let mut parts = rows.each_mut().map(|row| &mut row[..]);
        self.decoder.part(src, row..row + 1, from..to, work, &mut parts);
        for (plane, row) in planes.iter_mut().zip(&rows) {
            for (sample, x) in plane.iter_mut().zip(columns.clone()) {
                *sample = row[shown(x, size.width) - from];
            }
        }
    }
}

/// What a thread keeps from panel to panel.
#[derive(Default)]
struct Work {
    decode: decode::Work,
    encode: encode::Work,
    rows: Ring,
}

/// The last rows of the upscaled panel.
#[derive(Default)]
struct Ring {
    left: usize,
    width: usize,
    /// Rows of a plane that are kept.
    height: usize,
    planes: [Vec<f32>; 3],
}

impl Ring {
    /// For rows of `width` samples from column `left` of the upscaled frame on.
    fn begin(&mut self, left: usize, width: usize, reach: usize) {
        (self.left, self.width) = (left, width);
        self.height = 2 * CHUNK + 2 * reach;
        self.planes.iter_mut().for_each(|plane| plane.resize(self.height * width, 0.0));
    }

    fn push(&mut self, y: usize, rows: &[&[f32]]) {
        let at = y % self.height * self.width;
        for (plane, row) in self.planes.iter_mut().zip(rows) {
            plane[at..at + self.width].copy_from_slice(row);
        }
    }
}

impl PartRows for Ring {
    fn row(&self, plane: usize, y: usize) -> (usize, &[f32]) {
        let at = y % self.height * self.width;
        (self.left, &self.planes[plane][at..at + self.width])
    }
}
