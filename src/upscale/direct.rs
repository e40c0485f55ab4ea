//! The direct way, for networks that convert by themselves: a frame's own samples go in, tile by tile, and those of the
//! upscaled frame come out. No picture is made.

use super::change::{ChangeMap, spread};
use super::frame::{FrameView, FrameViewMut};
use super::geometry::Rect;
use super::held::{Held, copy_frame};
use super::network::UpscaleError;
use super::raw::RawTiles;
use super::tile::{Span, Tile, TilePlan};
use super::video::VideoSpec;
use crate::engine::{Cancel, EngineInfo, RawNetwork};

/// Upscales frames of one kind, without pictures.
pub struct Direct {
    path: Path,
    output: VideoSpec,
    tolerance: Option<u8>,
    held: Held,
}

/// The way of a tile from frame to frame.
struct Path {
    network: Box<dyn RawNetwork>,
    tiles: RawTiles,
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
        let path = Path { network, tiles, spread: spread(input.format), given, made: Vec::new() };
        Self { path, output, tolerance, held: Held::new(&input, output) }
    }

    /// Where its tiles lie.
    pub fn plan(&self) -> &TilePlan {
        self.path.tiles.plan()
    }

    /// What runs it.
    pub fn info(&self) -> &EngineInfo {
        self.path.network.info()
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
        let Self { path, output, tolerance, held } = self;
        let tiles: Vec<Tile> = path.tiles.plan().tiles().collect();
        let Some(tolerance) = *tolerance else { return path.infer(src, &tiles, dst, cancel) };
        let changes = held.compare(src, tolerance);
        let stale: Vec<_> =
            tiles.iter().filter(|tile| path.is_stale(tile, &changes)).copied().collect();
        let moves = stale.len() == tiles.len();
        held.run(src, dst, &changes, moves, |src, dst, kept| {
            let Some(kept) = kept else { return path.infer(src, &tiles, dst, cancel) };
            let shares = path.infer(src, &stale, &mut kept.view_mut()?, cancel)?;
            copy_frame(&mut kept.view_mut()?, dst, output);
            Ok(shares)
        })
    }
}

impl Path {
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
        let pixels = tiles.len() * self.tiles.plan().tile_size().area();
        Ok(Shares { tiles: tiles.len(), pixels })
    }

    /// Whether what `tile` sees has changed.
    fn is_stale(&self, tile: &Tile, changes: &ChangeMap) -> bool {
        let plan = self.tiles.plan();
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
}
