//! The direct way, for networks that convert by themselves: a frame's own samples go in, tile by tile, and those of the
//! upscaled frame come out. No picture is made.

use rayon::prelude::*;

use super::change::{ChangeMap, spread};
use super::frame::{FrameView, FrameViewMut, OwnedFrame};
use super::geometry::Rect;
use super::network::UpscaleError;
use super::raw::RawTiles;
use super::reference::Reference;
use super::tile::{Span, Tile, TilePlan};
use super::video::VideoSpec;
use crate::engine::{Cancel, EngineInfo, RawNetwork};

/// After so many frames of which every tile changed none is copied any more.
const LONG: u32 = 8;

/// Upscales frames of one kind, without pictures.
pub struct Direct {
    network: Box<dyn RawNetwork>,
    tiles: RawTiles,
    output: VideoSpec,
    tolerance: Option<u8>,
    reference: Reference,
    /// The last frame that was written.
    kept: Option<OwnedFrame>,
    /// Frames in a row of which every tile changed.
    moving: u32,
    /// Pixels beside a tile that what is in it depends on.
    spread: usize,
    /// A tile's planes, on the way in and out.
    given: Vec<Vec<u8>>,
    made: Vec<Vec<u8>>,
}

/// What was inferred for a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Tiles.
    pub tiles: usize,
    /// Input pixels, context included.
    pub pixels: usize,
}

impl Direct {
    /// For frames of `input` that `network`, which was opened for one of `tiles`, makes into frames of `output`. Tiles without a
    /// block of more than `tolerance` codes of 255 of difference to the frame before keep their output; `None`: none do.
    pub fn new(
        network: Box<dyn RawNetwork>,
        tiles: RawTiles,
        input: VideoSpec,
        output: VideoSpec,
        tolerance: Option<u8>,
    ) -> Self {
        let given = tiles.input_planes().iter().map(|plane| vec![0; plane.bytes()]).collect();
        Self {
            network,
            tiles,
            output,
            tolerance,
            reference: Reference::new(input.format, input.size),
            kept: None,
            moving: 0,
            spread: spread(input.format),
            given,
            made: Vec::new(),
        }
    }

    /// Where its tiles lie.
    pub fn plan(&self) -> &TilePlan {
        self.tiles.plan()
    }

    /// What runs it.
    pub fn info(&self) -> &EngineInfo {
        self.network.info()
    }

    /// Upscales `src` into `dst`, frames of the kinds given at the start.
    ///
    /// # Errors
    /// [`super::FrameError::NotAnnounced`]; what the network says; a result that is not finite;
    /// [`crate::engine::EngineError::Cancelled`] where `cancel` was raised. After an error `dst` is undefined, and the next frame
    /// is inferred whole.
    pub fn run(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        cancel: &Cancel,
    ) -> Result<Shares, UpscaleError> {
        self.output.check(dst.format(), dst.size())?;
        let tiles: Vec<Tile> = self.plan().tiles().collect();
        let Some(tolerance) = self.tolerance else {
            return self.infer(src, &tiles, dst, cancel);
        };
        let changes = self.reference.compare(src, tolerance);
        let stale: Vec<_> =
            tiles.iter().filter(|tile| self.is_stale(tile, &changes)).copied().collect();
        // It comes back where nothing fails.
        let kept = self.kept.take();
        let moving = std::mem::take(&mut self.moving);
        if let (Some(mut kept), true) = (kept, stale.len() < tiles.len()) {
            // While it is away there is nothing to keep: an error leaves it so.
            let nothing = Reference::new(src.format(), src.size());
            let mut reference = std::mem::replace(&mut self.reference, nothing);
            reference.take(src, &changes);
            let shares = self.infer(&reference.frame()?, &stale, &mut kept.view_mut()?, cancel)?;
            self.copy(&mut kept.view_mut()?, dst);
            (self.reference, self.kept) = (reference, Some(kept));
            return Ok(shares);
        }
        self.reference.take(src, &ChangeMap::all(src.size()));
        let shares = self.infer(src, &tiles, dst, cancel);
        let shares = shares.inspect_err(|_| self.reference.reset())?;
        self.moving = moving.saturating_add(1);
        if self.moving < LONG {
            let mut kept = OwnedFrame::new(self.output.format, self.output.size);
            self.copy(dst, &mut kept.view_mut()?);
            self.kept = Some(kept);
        }
        Ok(shares)
    }

    /// Upscales `tiles` of `src` into `dst`.
    fn infer(
        &mut self,
        src: &FrameView,
        tiles: &[Tile],
        dst: &mut FrameViewMut,
        cancel: &Cancel,
    ) -> Result<Shares, UpscaleError> {
        for tile in tiles {
            let mut given: Vec<_> = self.given.iter_mut().map(Vec::as_mut_slice).collect();
            self.tiles.cut(src, tile, &mut given)?;
            if !self.network.run(&self.given, &mut self.made, cancel)? {
                return Err(UpscaleError::NotFinite { x: tile.x.start, y: tile.y.start });
            }
            let made: Vec<_> = self.made.iter().map(Vec::as_slice).collect();
            self.tiles.paste(tile, &made, dst)?;
        }
        let pixels = tiles.len() * self.plan().tile_size().area();
        Ok(Shares { tiles: tiles.len(), pixels })
    }

    /// Whether what `tile` sees has changed.
    fn is_stale(&self, tile: &Tile, changes: &ChangeMap) -> bool {
        let plan = self.plan();
        let seen = |span: &Span, tile: usize, len: usize| {
            let first = span.start as isize - plan.border as isize;
            let end = first + tile as isize;
            // What lies outside the frame shows as much of its inside.
            let outside = (-first).max(end - len as isize).max(0);
            let start = first.min(len as isize - outside) - self.spread as isize;
            let end = end.max(outside) + self.spread as isize;
            let inside = |at: isize| at.clamp(0, len as isize) as usize;
            inside(start)..inside(end)
        };
        let columns = seen(&tile.x, plan.x.tile, plan.frame.width);
        let rows = seen(&tile.y, plan.y.tile, plan.frame.height);
        changes.touches(Rect::new(columns.start, rows.start, columns.len(), rows.len()))
    }

    fn copy(&self, from: &mut FrameViewMut, to: &mut FrameViewMut) {
        /// Rows at a time: a multiple of every subsampling factor.
        const BAND: usize = 64;
        let VideoSpec { format, size, .. } = self.output;
        let bands = to.bands(BAND).into_par_iter().zip(from.bands(BAND));
        bands.for_each(|(mut to, from)| to.copy_from(&from, format, size));
    }
}
