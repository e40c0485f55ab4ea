//! One network over one frame, tile by tile.

use std::sync::Arc;

use super::blend::{Blender, place};
use super::change::ChangeMap;
use super::cover::{Cover, Work};
use super::frame::FrameError;
use super::geometry::Rect;
use super::patch::Patch;
use super::picture::Plane;
use super::slot::{Pool, Slot, shape};
use super::tile::{Tile, TilePlan};
use crate::engine::{Cancel, Contract, Engine, EngineError};

/// Why a frame could not be upscaled.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpscaleError {
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A frame is not of the kind that was announced.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The network gave NaN or infinity.
    #[error("the network gave NaN or infinity in the tile at ({x}, {y})")]
    NotFinite {
        /// Left edge of the tile in the padded frame.
        x: usize,
        /// Top edge.
        y: usize,
    },
    /// The network gave another size than its contract says.
    #[error("the network gave a tensor of {got:?} where its contract promises {expected:?}")]
    WrongOutput {
        /// Dimensions that the contract promises.
        expected: [usize; 4],
        /// Dimensions that came.
        got: [usize; 4],
    },
}

/// Patches begin at multiples of this, in pixels, as the tiles of Winograd kernels do: so most of a patch is bit for bit what it
/// would be in the whole frame.
const GRID: usize = 4;

/// A network made ready for frames of one size. Its buffers are allocated once.
pub struct Network {
    contract: Arc<Contract>,
    plan: TilePlan,
    blender: Blender,
    tiles: Slot,
    /// How it infers no more than what changed.
    reuse: Option<(Cover, Pool)>,
}

/// What was inferred for a frame.
#[derive(Debug)]
pub struct Inferred {
    /// The result: a plane a channel, of the plan's output size.
    pub planes: Vec<Plane>,
    /// What of it is new; `None`: all.
    pub fresh: Option<Vec<Rect>>,
    /// Runs of the network, a tile of a batch being one.
    pub tiles: usize,
    /// Input pixels that were inferred, context included.
    pub pixels: usize,
}

impl Network {
    /// Dimensions, in memory order, of the input tensor for `batch` tiles of `plan`: what an engine is to be opened for.
    pub fn input_dims(contract: &Contract, plan: &TilePlan, batch: usize) -> [usize; 4] {
        let shape = shape(batch, contract.input.channels, plan.tile_size());
        shape.dims(contract.input.layout)
    }

    /// Runs `plan` on `engine`, `batch` tiles at a time, cross-fading neighbours if `fade`.
    pub fn new(
        contract: Arc<Contract>,
        plan: TilePlan,
        batch: usize,
        fade: bool,
        engine: Box<dyn Engine>,
    ) -> Self {
        let tiles = Slot::new(&contract, plan.tile_size(), batch, engine);
        Self { blender: Blender::new(&plan, fade), contract, plan, tiles, reuse: None }
    }

    /// Lets it infer only what changed, in patches of one of `steps` lengths on each axis that run on the engines of `pool`.
    /// `spread`: see [`super::change::spread`]; 0 for a second pass.
    ///
    /// Without effect where the halo is not exact: then a patch is not what it would be in the whole frame.
    pub fn reuse_unchanged(&mut self, spread: usize, steps: usize, pool: Pool) {
        let contract = &self.contract;
        let halo = contract.halo.px();
        if contract.halo.is_exact() && self.plan.x.halo.min(self.plan.y.halo) >= halo {
            let alignment = contract.alignment;
            let grid = if GRID.is_multiple_of(alignment) { GRID } else { alignment };
            let cover = Cover::new(&self.plan, grid, halo, spread, steps);
            self.reuse = Some((cover, pool));
        }
    }

    /// Where its tiles lie.
    pub fn plan(&self) -> &TilePlan {
        &self.plan
    }

    /// The engine that runs it.
    pub fn engine(&self) -> &dyn Engine {
        self.tiles.engine()
    }

    /// Tiles per run.
    pub fn batch(&self) -> usize {
        self.tiles.batch()
    }

    /// Upscales `src`, a plane a channel of the frame's size. The result is written to what `planes` gives: it is asked for
    /// them when the first tile is done, as the frame before may need them till then.
    ///
    /// Where `changes` are given, `planes` must give the last result, and `src` differ from what that was made from in no
    /// other blocks; the rest of the last result is kept then. Else planes of any size will do.
    ///
    /// # Errors
    /// What the engine says; a result that is not finite; [`EngineError::Cancelled`] soon after `cancel` is raised.
    pub fn run(
        &mut self,
        src: &[&Plane],
        changes: Option<&ChangeMap>,
        planes: impl FnOnce() -> Vec<Plane>,
        cancel: &Cancel,
    ) -> Result<Inferred, UpscaleError> {
        if let (Some(changes), Some((cover, _))) = (changes, &self.reuse) {
            match cover.work(changes) {
                Work::Patches(patches) => return self.run_patches(src, &patches, planes, cancel),
                Work::Whole => {}
            }
        } else if changes.is_some_and(ChangeMap::is_empty) {
            return self.run_patches(src, &[], planes, cancel);
        }
        self.run_tiles(src, planes, cancel)
    }

    fn run_tiles(
        &mut self,
        src: &[&Plane],
        planes: impl FnOnce() -> Vec<Plane>,
        cancel: &Cancel,
    ) -> Result<Inferred, UpscaleError> {
        let tiles: Vec<Tile> = self.plan.tiles().collect();
        let (mut planes, mut dst) = (Some(planes), Vec::new());
        for batch in tiles.chunks(self.batch()) {
            let rects = batch.iter().map(|tile| self.plan.rect(tile));
            self.tiles.run(&self.contract, src, self.plan.border, rects, cancel)?;
            if let Some(planes) = planes.take() {
                dst = planes();
                let (channels, size) = (self.contract.output.channels, self.plan.output_size());
                dst.resize_with(channels, Plane::default);
                dst.iter_mut().for_each(|plane| plane.resize(size));
                self.blender.begin(&mut dst);
            }
            for (slot, tile) in batch.iter().enumerate() {
                let output = self.tiles.output();
                if !self.blender.add(tile, output, slot, self.contract.range, &mut dst) {
                    return Err(UpscaleError::NotFinite { x: tile.x.start, y: tile.y.start });
                }
            }
        }
        let pixels = tiles.len() * self.plan.tile_size().area();
        Ok(Inferred { planes: dst, fresh: None, tiles: tiles.len(), pixels })
    }

    /// Infers `patches` and leaves the rest of the planes as it is.
    fn run_patches(
        &mut self,
        src: &[&Plane],
        patches: &[Patch],
        planes: impl FnOnce() -> Vec<Plane>,
        cancel: &Cancel,
    ) -> Result<Inferred, UpscaleError> {
        let (mut planes, mut dst) = (Some(planes), Vec::new());
        let (mut fresh, mut pixels) = (Vec::new(), 0);
        for patch in patches {
            let Some((_, pool)) = &mut self.reuse else { break };
            let slot = pool.slot(&self.contract, patch.size, &mut self.tiles, cancel)?;
            let patch = patch.grown(slot.size(), &self.plan);
            let rects = std::iter::once(patch.rect());
            pixels += slot.size().area();
            slot.run(&self.contract, src, self.plan.border, rects, cancel)?;
            if let Some(planes) = planes.take() {
                dst = planes();
            }
            let target = patch.target(&self.plan);
            if !place(&target, slot.output(), self.contract.range, &mut dst) {
                return Err(UpscaleError::NotFinite { x: patch.x.start, y: patch.y.start });
            }
            fresh.push(target.rect);
        }
        let dst = planes.map_or(dst, |planes| planes());
        Ok(Inferred { planes: dst, fresh: Some(fresh), tiles: patches.len(), pixels })
    }
}
