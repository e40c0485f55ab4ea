//! Tiles as raw samples: for networks that convert by themselves (`onnx::wrap`), so that bytes go to a device and come back.
//!
//! A tile is cut out of the planes of a frame as it lies there ([`RawTiles::cut`]), and what a wrapped network makes of it is
//! put into those of the upscaled frame ([`RawTiles::paste`]); no float is made on the way. Three things are asked of tiles that
//! pictures do not ask ([`RawTiles::request`]):
//!
//! * **Grid.** Where chroma has half as many columns or rows, tiles are of even size and begin at even pixels, before and
//!   after scaling.
//! * **Context.** A sample of chroma looks three upscaled pixels beyond those that it covers, and cuts lie at whole
//!   samples of chroma: the halo is greater by 4 upscaled pixels. Chroma that goes past a network of luma is enlarged beside it,
//!   for which 2 pixels more are needed. Chroma that comes in brings two samples
//!   more on each side, so the network's picture is exact to its edge.
//! * **Border.** The frame's mirror image is of raw samples: of each plane its own. In a border of 4 px that is what decoding
//!   first would give, bit by bit, where chroma lies between luma samples; where it lies on them, chroma's mirror image is one
//!   pixel off, in the border alone. Going out, chroma at the frame's edge is made of what the network made of the border, where
//!   [`Encoder`](super::Encoder) mirrors its picture.

use std::ops::Range;

use super::chroma::{DOUBLING_REACH, HALVING_REACH};
use super::format::{Kind, PixelFormat};
use super::frame::{FrameError, FrameView, FrameViewMut};
use super::geometry::{Size, mirror};
use super::tile::{Axis, Span, Tile, TilePlan, TileRequest};

/// How many pixels beside its own enlarged chroma looks at.
pub(crate) const ENLARGING_REACH: usize = 2;

/// One plane of a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawPlane {
    /// Its columns and rows; samples that lie side by side count as one.
    pub size: Size,
    /// Samples that lie side by side.
    pub step: usize,
    /// Bytes of a sample.
    pub sample_bytes: usize,
}

impl RawPlane {
    /// Bytes of a row.
    pub const fn row_bytes(&self) -> usize {
        self.size.width * self.step * self.sample_bytes
    }

    /// Bytes of the plane.
    pub const fn bytes(&self) -> usize {
        self.row_bytes() * self.size.height
    }
}

/// The planes of a tile of `tile` pixels that goes in: chroma with its context.
pub fn input_planes(format: PixelFormat, tile: Size) -> Vec<RawPlane> {
    planes(format, tile, DOUBLING_REACH)
}

/// The planes of a tile of `tile` pixels that comes out.
pub fn output_planes(format: PixelFormat, tile: Size) -> Vec<RawPlane> {
    planes(format, tile, 0)
}

fn planes(format: PixelFormat, tile: Size, context: usize) -> Vec<RawPlane> {
    let info = format.info();
    let plane = |index| {
        let Size { width, height } = format.texels(index, tile);
        let (x, y) = halvings(format, index);
        let size = Size::new(width + 2 * context * x, height + 2 * context * y);
        RawPlane { size, step: info.step(index), sample_bytes: info.sample_bytes }
    };
    (0..info.planes).map(plane).collect()
}

/// How often columns and rows of a plane are halved: 0 or 1.
fn halvings(format: PixelFormat, plane: usize) -> (usize, usize) {
    let info = format.info();
    let is_chroma = info
        .components
        .iter()
        .enumerate()
        .any(|(c, at)| at.plane == plane && info.is_subsampled(c));
    let (x, y) = if is_chroma { info.subsampling } else { (0, 0) };
    (x as usize, y as usize)
}

/// Where the tiles of a frame lie in its planes and in the upscaled frame's.
#[derive(Debug, Clone)]
pub struct RawTiles {
    plan: TilePlan,
    input: PixelFormat,
    output: PixelFormat,
    /// What each tile owns of the upscaled frame, by axis: pixels, the first at a whole sample of chroma.
    owned: [Vec<Range<usize>>; 2],
}

impl RawTiles {
    /// `request` with what raw samples ask for beside what a network of `channels` channels does.
    pub fn request(
        request: TileRequest,
        channels: usize,
        input: PixelFormat,
        output: PixelFormat,
    ) -> TileRequest {
        let halved = |format: PixelFormat| format.info().subsampling.0 > 0;
        let (scale, mut alignment) = (request.scale, request.alignment.max(1));
        if halved(input) {
            alignment = even(alignment);
        }
        let mut halo = request.halo + enlarging_reach(channels, input, output);
        if halved(output) {
            let is_even = |px| scale.exactly(px).is_some_and(|px| px.is_multiple_of(2));
            while !is_even(alignment) {
                alignment *= if scale.exactly(alignment).is_some() { 2 } else { scale.den() };
            }
            halo += ((HALVING_REACH + 1) * scale.den()).div_ceil(scale.num());
        }
        TileRequest { alignment, halo, ..request }
    }

    /// The tiles of `plan`, which was made for what [`Self::request`] asks for; `None` where it does not keep to that: a
    /// network of odd size, or no border to take chroma's context from.
    pub fn new(
        plan: TilePlan,
        channels: usize,
        input: PixelFormat,
        output: PixelFormat,
    ) -> Option<Self> {
        let out = |px: usize| plan.scale.of(px);
        let fits = |axis: &Axis, format: PixelFormat, px: &dyn Fn(usize) -> usize| {
            let is_halved = format.info().subsampling != (0, 0);
            let ends = axis.spans.iter().map(|span| span.start).chain([axis.tile, plan.border]);
            !is_halved || ends.into_iter().all(|end| px(end).is_multiple_of(2))
        };
        let on_grid = [&plan.x, &plan.y]
            .into_iter()
            .all(|axis| fits(axis, input, &|px| px) && fits(axis, output, &out));
        let is_halved = output.info().subsampling != (0, 0);
        let has_context = plan.border >= enlarging_reach(channels, input, output)
            && (!is_halved || out(plan.border) > HALVING_REACH);
        if !on_grid || !has_context {
            return None;
        }
        let (x, y) = output.info().subsampling;
        let owned = [
            owned(&plan, &plan.x, plan.frame.width, x),
            owned(&plan, &plan.y, plan.frame.height, y),
        ];
        Some(Self { plan, input, output, owned })
    }

    /// Where the tiles lie.
    pub fn plan(&self) -> &TilePlan {
        &self.plan
    }

    /// What a tile's planes are on the way in.
    pub fn input_planes(&self) -> Vec<RawPlane> {
        input_planes(self.input, self.plan.tile_size())
    }

    /// What a tile's planes are on the way out.
    pub fn output_planes(&self) -> Vec<RawPlane> {
        output_planes(self.output, self.plan.tile_size().scaled(self.plan.scale))
    }

    /// Copies `tile` out of `frame` into `planes`, which are as [`Self::input_planes`] says; what lies outside the frame is the
    /// mirror image of each plane.
    ///
    /// # Errors
    /// [`FrameError::NotAnnounced`]. Panics where a plane is too short.
    pub fn cut(
        &self,
        frame: &FrameView,
        tile: &Tile,
        planes: &mut [&mut [u8]],
    ) -> Result<(), FrameError> {
        self.check(frame.format(), frame.size(), self.input, self.plan.frame)?;
        for (index, (plane, bytes)) in self.input_planes().iter().zip(planes).enumerate() {
            let (halved_x, halved_y) = halvings(self.input, index);
            let first = |span: &Span, halvings: usize| {
                let first = span.start as isize - self.plan.border as isize;
                (first >> halvings) - (halvings * DOUBLING_REACH) as isize
            };
            let (left, top) = (first(&tile.x, halved_x), first(&tile.y, halved_y));
            let whole = self.input.texels(index, self.plan.frame);
            let texel = plane.step * plane.sample_bytes;
            for (y, row) in bytes[..plane.bytes()].chunks_exact_mut(plane.row_bytes()).enumerate() {
                let from = frame.row(index, mirror(top + y as isize, whole.height));
                copy_mirrored(from, left, whole.width, texel, row);
            }
        }
        Ok(())
    }

    /// Copies what `tile` owns out of `planes`, which are as [`Self::output_planes`] says, into the upscaled `frame`.
    ///
    /// # Errors
    /// [`FrameError::NotAnnounced`]. Panics where a plane is too short.
    pub fn paste(
        &self,
        tile: &Tile,
        planes: &[&[u8]],
        frame: &mut FrameViewMut,
    ) -> Result<(), FrameError> {
        self.check(frame.format(), frame.size(), self.output, self.plan.output_size())?;
        let out = |px: usize| self.plan.scale.of(px);
        let (columns, rows) = (&self.owned[0][tile.column], &self.owned[1][tile.row]);
        // It lies in the border alone. Where the frame's size is odd, half of its end would still be a sample of chroma.
        if columns.is_empty() || rows.is_empty() {
            return Ok(());
        }
        for (index, (plane, bytes)) in self.output_planes().iter().zip(planes).enumerate() {
            let (halved_x, halved_y) = halvings(self.output, index);
            let samples = |own: &Range<usize>, n: usize| own.start >> n..own.end.div_ceil(1 << n);
            let (columns, rows) = (samples(columns, halved_x), samples(rows, halved_y));
            let offset = |first: usize, span: &Span, halvings: usize| {
                first + (out(self.plan.border) >> halvings) - (out(span.start) >> halvings)
            };
            let left = offset(columns.start, &tile.x, halved_x);
            let top = offset(rows.start, &tile.y, halved_y);
            let texel = plane.step * plane.sample_bytes;
            let (target, stride) = frame.plane_mut(index);
            for (i, y) in rows.enumerate() {
                let from = &bytes[(top + i) * plane.row_bytes()..][left * texel..];
                let len = columns.len() * texel;
                target[y * stride + columns.start * texel..][..len].copy_from_slice(&from[..len]);
            }
        }
        Ok(())
    }

    fn check(
        &self,
        got_format: PixelFormat,
        got_size: Size,
        format: PixelFormat,
        size: Size,
    ) -> Result<(), FrameError> {
        if (got_format, got_size) == (format, size) {
            return Ok(());
        }
        let (format, got_format) = (format.name(), got_format.name());
        Err(FrameError::NotAnnounced { format, size, got_format, got_size })
    }
}

/// How many pixels around it chroma looks at that is enlarged beside a network of `channels` channels: 0 where none is.
fn enlarging_reach(channels: usize, input: PixelFormat, output: PixelFormat) -> usize {
    let is_coloured = |format: PixelFormat| format.info().kind != Kind::Gray;
    if channels == 1 && is_coloured(input) && is_coloured(output) { ENLARGING_REACH } else { 0 }
}

/// `n`, or twice that.
const fn even(n: usize) -> usize {
    if n.is_multiple_of(2) { n } else { 2 * n }
}

/// What each tile of an axis owns of the upscaled frame. Cuts lie at whole samples of chroma: at or before where the plan has
/// them.
fn owned(plan: &TilePlan, axis: &Axis, len: usize, halvings: u32) -> Vec<Range<usize>> {
    let (border, len) = (plan.scale.of(plan.border), plan.scale.of(len));
    let cut = |px: usize| {
        let px = plan.scale.of(px).saturating_sub(border);
        if px >= len { len } else { px >> halvings << halvings }
    };
    axis.spans.iter().map(|span| cut(span.own_start)..cut(span.own_end)).collect()
}

/// Fills `row` from column `left` of `from` on, whose `width` columns are of `texel` bytes each.
fn copy_mirrored(from: &[u8], left: isize, width: usize, texel: usize, row: &mut [u8]) {
    let count = row.len() / texel;
    let start = (-left).clamp(0, count as isize) as usize;
    let end = (width as isize - left).clamp(start as isize, count as isize) as usize;
    if end > start {
        let first = (left + start as isize) as usize * texel;
        let inside = start * texel..end * texel;
        row[inside.clone()].copy_from_slice(&from[first..first + inside.len()]);
    }
    for i in (0..start).chain(end..count) {
        let seen = mirror(left + i as isize, width);
        row[i * texel..][..texel].copy_from_slice(&from[seen * texel..][..texel]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::Ratio;
    use proptest::prelude::*;

    /// A frame of samples that are all different where they can be, rows padded.
    struct Planes(Vec<Vec<u8>>, Vec<usize>);

    impl Planes {
        fn new(format: PixelFormat, size: Size, fill: impl Fn(usize) -> u8) -> Self {
            let planes = 0..format.info().planes;
            let strides: Vec<_> = planes.clone().map(|p| format.row_bytes(p, size) + 5).collect();
            let bytes = |p: usize| strides[p] * format.plane_size(p, size).height;
            Self(planes.map(|p| (0..bytes(p)).map(&fill).collect()).collect(), strides)
        }

        fn view(&self, format: PixelFormat, size: Size) -> FrameView<'_> {
            let planes: Vec<_> = self.0.iter().map(Vec::as_slice).collect();
            FrameView::new(format, size, &planes, &self.1).unwrap()
        }

        fn view_mut(&mut self, format: PixelFormat, size: Size) -> FrameViewMut<'_> {
            let planes = self.0.iter_mut().map(Vec::as_mut_slice).collect();
            FrameViewMut::new(format, size, planes, &self.1).unwrap()
        }
    }

    /// What a network that repeats samples would give: each plane of the tile enlarged, chroma's context left out.
    fn enlarged(tiles: &RawTiles, planes: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (from, to) = (tiles.input_planes(), tiles.output_planes());
        let plane = |(index, bytes): (usize, &Vec<u8>)| {
            let (from, to) = (from[index], to[index]);
            let (x0, y0) = halvings(tiles.input, index);
            let texel = to.step * to.sample_bytes;
            let scale = tiles.plan.scale;
            let source = |i: usize| i * scale.den() / scale.num();
            let mut out = Vec::with_capacity(to.bytes());
            for y in 0..to.size.height {
                for x in 0..to.size.width {
                    let (x, y) = (source(x) + 2 * x0, source(y) + 2 * y0);
                    let at = y * from.row_bytes() + x * texel;
                    out.extend_from_slice(&bytes[at..at + texel]);
                }
            }
            out
        };
        planes.iter().enumerate().map(plane).collect()
    }

    fn formats() -> impl Strategy<Value = PixelFormat> {
        let plain = |format: &PixelFormat| format.info().alpha.is_none();
        prop::sample::select(PixelFormat::ALL.iter().copied().filter(plain).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn every_sample_is_owned_once(
            format in formats(), w in 1usize..70, h in 1usize..50, tile in 1usize..48, halo in 0usize..9,
            scale in prop::sample::select(vec![(1, 1), (2, 1), (3, 1), (3, 2), (4, 1)]), alignment in 1usize..4,
        ) {
            owned_once(format, Size::new(w, h), tile, halo, scale, alignment)?;
        }
    }

    /// Where the frame's size is odd, half of what lies behind its end is still a sample of chroma.
    #[test]
    fn tiles_in_the_border_alone_own_nothing() {
        owned_once(PixelFormat::I420, Size::new(1, 1), 1, 0, (3, 1), 1).unwrap();
    }

    fn owned_once(
        format: PixelFormat,
        size: Size,
        tile: usize,
        halo: usize,
        scale: (usize, usize),
        alignment: usize,
    ) -> Result<(), TestCaseError> {
        let scale = Ratio::new(scale.0, scale.1).unwrap();
        let request = TileRequest {
            max_tile: Some(Size::new(tile, tile)),
            halo,
            border: 4,
            alignment,
            min_size: 1,
            fixed_width: None,
            fixed_height: None,
            scale,
        };
        let request = RawTiles::request(request, 3, format, format);
        let plan = TilePlan::new(size, &request);
        let tiles = RawTiles::new(plan, 3, format, format).unwrap();
        let output = tiles.plan().output_size();
        let frame = Planes::new(format, size, |i| ((i * 2654435761) >> 7) as u8);
        let mut result = Planes::new(format, output, |_| 0);
        let mut times = Planes::new(format, output, |_| 0);
        for tile in tiles.plan().tiles() {
            let mut planes: Vec<_> =
                tiles.input_planes().iter().map(|plane| vec![0; plane.bytes()]).collect();
            let mut slices: Vec<_> = planes.iter_mut().map(Vec::as_mut_slice).collect();
            tiles.cut(&frame.view(format, size), &tile, &mut slices).unwrap();
            let large = enlarged(&tiles, &planes);
            let slices: Vec<_> = large.iter().map(Vec::as_slice).collect();
            tiles.paste(&tile, &slices, &mut result.view_mut(format, output)).unwrap();
            // How often is each byte written? Once: what was there is still 0.
            let mut once = Planes::new(format, output, |_| 0);
            let ones: Vec<_> = large.iter().map(|plane| vec![1; plane.len()]).collect();
            let slices: Vec<_> = ones.iter().map(Vec::as_slice).collect();
            tiles.paste(&tile, &slices, &mut once.view_mut(format, output)).unwrap();
            for (sum, once) in times.0.iter_mut().flatten().zip(once.0.iter().flatten()) {
                *sum += once;
            }
        }
        let (src, dst) = (frame.view(format, size), result.view(format, output));
        let counts = times.view(format, output);
        for (index, plane) in output_planes(format, output).iter().enumerate() {
            let texel = plane.step * plane.sample_bytes;
            let whole = format.texels(index, size);
            for y in 0..plane.size.height {
                prop_assert!(counts.row(index, y).iter().all(|&n| n == 1), "{}", format.name());
                let source = |i: usize, len: usize| (i * scale.den() / scale.num()).min(len - 1);
                let from = src.row(index, source(y, whole.height));
                for x in 0..plane.size.width {
                    let seen = &from[source(x, whole.width) * texel..][..texel];
                    prop_assert_eq!(&dst.row(index, y)[x * texel..][..texel], seen);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn plans_that_break_chroma_are_refused() {
        let plan = |border, fixed| {
            let request = TileRequest {
                max_tile: None,
                halo: 0,
                border,
                alignment: 1,
                min_size: 1,
                fixed_width: fixed,
                fixed_height: fixed,
                scale: Ratio::ONE,
            };
            TilePlan::new(Size::new(20, 20), &request)
        };
        let i420 = PixelFormat::I420;
        assert!(RawTiles::new(plan(4, Some(28)), 3, i420, i420).is_some());
        assert!(RawTiles::new(plan(4, Some(29)), 3, i420, i420).is_none(), "odd tiles");
        assert!(RawTiles::new(plan(0, None), 3, i420, i420).is_none(), "no border");
        let [full, rgb, gray] = [PixelFormat::Y444, PixelFormat::Rgb, PixelFormat::Gray8];
        assert!(RawTiles::new(plan(0, None), 3, full, rgb).is_some());
        // Beside a network of luma chroma is enlarged, where there is any.
        assert!(RawTiles::new(plan(0, None), 1, full, rgb).is_none(), "no border");
        assert!(RawTiles::new(plan(0, None), 1, gray, gray).is_some());
        assert!(RawTiles::new(plan(4, None), 1, full, rgb).is_some());
    }
}
