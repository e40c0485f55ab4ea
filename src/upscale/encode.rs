//! Picture in, frame out.
//!
//! Row by row, as in [`super::decode`](mod@super::decode): each component is mixed from the picture's planes, chroma is
//! brought down to its size and place (Catmull-Rom widened by the factor, so that nothing aliases), and floats become codes.
//! Any part of a frame can be encoded by itself, while the picture's rows are in cache.

use std::ops::Range;

use rayon::prelude::*;

use super::chroma::{HALVING_REACH, Halving, grown, mirror_edges};
use super::color::{ColorSpec, Mix};
use super::decode::BAND;
use super::format::FormatInfo;
use super::frame::{BandMut, FrameError, FrameViewMut};
use super::geometry::{Size, mirror};
use super::kernels::mix;
use super::layout::{Content, PlaneLayout};
use super::picture::{ColorModel, Picture};
use super::video::VideoSpec;

/// Writes `picture` into `frame`, whatever its model and the frame's format; both have one size.
///
/// R'G'B' and Y' are clamped to 0..1, also before they become Y'CbCr; codes are rounded to the nearest. Alpha that is `None`
/// is written as opaque, so is the padding of formats like RGBx; chroma of [`ColorModel::Luma`] is neutral. NaN becomes the
/// lowest code.
///
/// # Errors
/// [`FrameError::Picture`] where the sizes differ or the picture lacks planes.
pub fn encode(
    picture: &Picture,
    spec: &ColorSpec,
    frame: &mut FrameViewMut,
) -> Result<(), FrameError> {
    let size = frame.size();
    let fits = picture.planes.len() == picture.model.planes()
        && picture.planes.iter().chain(&picture.alpha).all(|p| p.size() == size);
    if !fits {
        let picture = picture.planes.first().map(|p| p.size()).unwrap_or_default();
        return Err(FrameError::Picture { picture, frame: size });
    }
    let spec = VideoSpec { format: frame.format(), size, color: *spec };
    let encoder = Encoder::new(&spec, picture.model);
    let mut bands = frame.bands(BAND);
    bands.par_iter_mut().for_each_init(Work::default, |work, band| {
        encoder.part(band, band.rows(), 0..size.width, picture, work);
    });
    Ok(())
}

/// Rows of a picture, of which only a part may be at hand.
pub trait PartRows {
    /// Row `y` of plane `plane`: the column of the first sample given, and samples from there on.
    fn row(&self, plane: usize, y: usize) -> (usize, &[f32]);

    /// The same of alpha; `None` is opaque.
    fn alpha(&self, _y: usize) -> Option<(usize, &[f32])> {
        None
    }
}

impl PartRows for Picture {
    fn row(&self, plane: usize, y: usize) -> (usize, &[f32]) {
        (0, self.planes[plane].row(y))
    }

    fn alpha(&self, y: usize) -> Option<(usize, &[f32])> {
        self.alpha.as_ref().map(|alpha| (0, alpha.row(y)))
    }
}

/// How pictures of one model become frames of one kind, whole or by parts.
#[derive(Debug, Clone)]
pub struct Encoder {
    info: &'static FormatInfo,
    size: Size,
    model: ColorModel,
    mixes: [Mix; 3],
    planes: Vec<PlaneLayout>,
    /// Along rows and, if rows go too, along columns; `None` where chroma is at full size.
    chroma: Option<(Halving, Option<Halving>)>,
}

/// What a thread keeps from part to part.
#[derive(Debug, Default)]
pub struct Work {
    /// A row of each component at full size, with what chroma's needs around the part.
    components: [Vec<f32>; 3],
    /// Cb and Cr in the frame's columns but the picture's rows, with those that are needed above and below the part.
    narrow: [Vec<f32>; 2],
    /// A row of Cb and Cr as it is written.
    chroma: [Vec<f32>; 2],
    /// Ones.
    opaque: Vec<f32>,
}

impl Encoder {
    /// For frames of `spec`; `model` is what the pictures are.
    pub fn new(spec: &VideoSpec, model: ColorModel) -> Self {
        let (info, color) = (spec.format.info(), &spec.color);
        let (sx, sy) = info.subsampling;
        let rows = (sy > 0).then(|| Halving::new(color.site.vertical));
        Self {
            info,
            size: spec.size,
            model,
            mixes: Mix::between(model, info.model(color), color.matrix),
            planes: (0..info.planes).map(|p| PlaneLayout::new(p, info, color)).collect(),
            chroma: (sx > 0).then(|| (Halving::new(color.site.horizontal), rows)),
        }
    }

    /// How many of the picture's pixels beyond a part, in every direction, its samples depend on.
    pub fn reach(&self) -> usize {
        if self.chroma.is_some() { HALVING_REACH } else { 0 }
    }

    /// Writes the samples of the part at `rows` and `columns` of the frame, in pixels, which lies in `band`.
    ///
    /// A part begins, and ends unless it ends with the frame, at multiples of the subsampling. `source` has the part's
    /// rows and columns and [`Self::reach`] more on every side, as far as the picture goes. Bytes are the same whatever the
    /// parts. Panics where the part is not inside the band, or `source` gives less.
    pub fn part(
        &self,
        band: &mut BandMut,
        rows: Range<usize>,
        columns: Range<usize>,
        source: &impl PartRows,
        work: &mut Work,
    ) {
        let (sx, sy) = self.info.subsampling;
        debug_assert!(rows.start.is_multiple_of(1 << sy) && columns.start.is_multiple_of(1 << sx));
        let reach = if sy > 0 { HALVING_REACH } else { 0 };
        let near = grown(&rows, reach, self.size.height);
        // A row at a time, so that it is still in cache when its chroma is made.
        for y in near.clone() {
            self.mix(y, &columns, source, work);
            if rows.contains(&y) {
                self.write_row(band, y, &columns, source, work);
            }
            if let Some(chroma) = &self.chroma {
                self.narrow_chroma(&chroma.0, y - near.start, &columns, work);
            }
        }
        if let Some(chroma) = &self.chroma {
            self.write_chroma(chroma.1.as_ref(), band, rows, near.start, &columns, work);
        }
    }

    /// Makes the components of row `y` out of the picture's planes, at `columns` and as many more as [`Self::reach`] says.
    fn mix(&self, y: usize, columns: &Range<usize>, source: &impl PartRows, work: &mut Work) {
        let reach = self.reach();
        let near = grown(columns, reach, self.size.width);
        let skipped = near.start + reach - columns.start;
        let src = |plane| cut(source.row(plane, y), &near);
        let all = || [src(0), src(1), src(2)];
        // The last chroma sample of an odd row looks one column further.
        let width = columns.len().next_multiple_of(2) + 2 * reach;
        let dst = work.components.each_mut().map(|row| {
            row.resize(width, 0.0);
            &mut row[skipped..][..near.len()]
        });
        let clamp = self.model == ColorModel::Rgb;
        match self.mixes {
            [Mix::Sum(u), Mix::Sum(v), Mix::Sum(w)] if clamp => {
                mix::<true, 3>(all(), [u, v, w], dst);
            }
            [Mix::Sum(u), Mix::Sum(v), Mix::Sum(w)] => mix::<false, 3>(all(), [u, v, w], dst),
            mixes => mixes.into_iter().zip(dst).for_each(|(how, dst)| match how {
                Mix::Zero => dst.fill(0.0),
                // Where R'G'B' is only copied, it is clamped with the codes.
                Mix::Copy(plane) => dst.copy_from_slice(src(plane)),
                Mix::Sum(w) if clamp => mix::<true, 1>(all(), [w], [dst]),
                Mix::Sum(w) => mix::<false, 1>(all(), [w], [dst]),
            }),
        }
    }

    /// Writes row `y` of the planes of full size, out of `work.components`.
    fn write_row(
        &self,
        band: &mut BandMut,
        y: usize,
        columns: &Range<usize>,
        source: &impl PartRows,
        work: &mut Work,
    ) {
        let width = columns.len();
        work.opaque.resize(work.opaque.len().max(width), 1.0);
        let row = |content| match content {
            Content::Component(c) => &work.components[c][self.reach()..][..width],
            Content::Alpha => {
                source.alpha(y).map_or(&work.opaque[..width], |row| cut(row, columns))
            }
            Content::Padding => &work.opaque[..width],
        };
        let index = y - band.rows().start;
        for plane in self.planes.iter().filter(|plane| !plane.subsampled) {
            plane.store(row, columns.start, band.row(plane.index, index));
        }
    }

    /// Brings chroma in `work.components` down to the frame's columns, and keeps it as row `index` of what the part needs.
    fn narrow_chroma(
        &self,
        across: &Halving,
        index: usize,
        columns: &Range<usize>,
        work: &mut Work,
    ) {
        let first = columns.start as isize - HALVING_REACH as isize;
        let width = chroma_range(columns).len();
        let [_, chroma @ ..] = &mut work.components;
        for (wide, plane) in chroma.iter_mut().zip(&mut work.narrow) {
            mirror_edges(wide, first, self.size.width);
            plane.resize(plane.len().max((index + 1) * width), 0.0);
            across.row(wide, &mut plane[index * width..][..width]);
        }
    }

    /// Writes the part's chroma out of what [`Self::narrow_chroma`] kept, from row `top` of the picture on.
    fn write_chroma(
        &self,
        down: Option<&Halving>,
        band: &mut BandMut,
        rows: Range<usize>,
        top: usize,
        columns: &Range<usize>,
        work: &mut Work,
    ) {
        let columns = chroma_range(columns);
        let in_chroma =
            |rows: Range<usize>| if down.is_some() { chroma_range(&rows) } else { rows };
        let first = in_chroma(band.rows()).start;
        for y in in_chroma(rows) {
            for (narrow, row) in work.narrow.iter().zip(&mut work.chroma) {
                let line = |y: isize| {
                    let index = mirror(y, self.size.height) - top;
                    &narrow[index * columns.len()..][..columns.len()]
                };
                row.resize(columns.len(), 0.0);
                match down {
                    Some(down) => down.column(y, line, row),
                    None => row.copy_from_slice(line(y as isize)),
                }
            }
            let row = |content| match content {
                Content::Component(2) => &work.chroma[1][..],
                _ => &work.chroma[0][..],
            };
            for plane in self.planes.iter().filter(|plane| plane.subsampled) {
                plane.store(row, columns.start, band.row(plane.index, y - first));
            }
        }
    }
}

/// Chroma samples that cover a range of pixels along an axis on which chroma is halved.
fn chroma_range(pixels: &Range<usize>) -> Range<usize> {
    pixels.start / 2..pixels.end.div_ceil(2)
}

/// The samples at `columns` of a row that begins elsewhere.
fn cut<'a>((first, row): (usize, &'a [f32]), columns: &Range<usize>) -> &'a [f32] {
    &row[columns.start - first..][..columns.len()]
}
