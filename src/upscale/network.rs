//! One network over one frame, tile by tile.

use std::sync::Arc;

use super::blend::Blender;
use super::frame::FrameError;
use super::gather::gather;
use super::geometry::Size;
use super::picture::Plane;
use super::tensor::{Shape, Tensor};
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

/// A network made ready for frames of one size. Its buffers are allocated once.
pub struct Network {
    contract: Arc<Contract>,
    plan: TilePlan,
    blender: Blender,
    engine: Box<dyn Engine>,
    input: Tensor,
    output: Tensor,
}

impl Network {
    /// Dimensions, in memory order, of the input tensor for `batch` tiles of `plan`: what an engine is to be opened for.
    pub fn input_dims(contract: &Contract, plan: &TilePlan, batch: usize) -> [usize; 4] {
        input_shape(contract, plan, batch).dims(contract.input.layout)
    }

    /// Runs `plan` on `engine`, `batch` tiles at a time, cross-fading neighbours if `fade`.
    pub fn new(
        contract: Arc<Contract>,
        plan: TilePlan,
        batch: usize,
        fade: bool,
        engine: Box<dyn Engine>,
    ) -> Self {
        let input = Tensor::zeros(
            input_shape(&contract, &plan, batch),
            contract.input.layout,
            contract.input.element,
        );
        let output = Tensor::zeros(
            output_shape(&contract, &plan, batch),
            contract.output.layout,
            contract.output.element,
        );
        Self { blender: Blender::new(&plan, fade), contract, plan, engine, input, output }
    }

    /// Where its tiles lie.
    pub fn plan(&self) -> &TilePlan {
        &self.plan
    }

    /// The engine that runs it.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// Tiles per run.
    pub fn batch(&self) -> usize {
        self.input.shape.batch
    }

    /// Upscales `src`, a plane a channel of the frame's size. The result is written to what `planes` gives: a plane a channel,
    /// of any size; it is asked for them when the first tile is done, as the frame before may need them till then.
    ///
    /// # Errors
    /// What the engine says; a result that is not finite; [`EngineError::Cancelled`] soon after `cancel` is raised.
    pub fn run(
        &mut self,
        src: &[&Plane],
        planes: impl FnOnce() -> Vec<Plane>,
        cancel: &Cancel,
    ) -> Result<Vec<Plane>, UpscaleError> {
        let tiles: Vec<Tile> = self.plan.tiles().collect();
        let (mut planes, mut dst) = (Some(planes), Vec::new());
        for batch in tiles.chunks(self.batch()) {
            self.infer(src, batch, cancel)?;
            if let Some(planes) = planes.take() {
                dst = planes();
                let (channels, size) = (self.contract.output.channels, self.plan.output_size());
                dst.resize_with(channels, Plane::default);
                dst.iter_mut().for_each(|plane| plane.resize(size));
                self.blender.begin(&mut dst);
            }
            for (slot, tile) in batch.iter().enumerate() {
                if !self.blender.add(tile, &self.output, slot, self.contract.range, &mut dst) {
                    return Err(UpscaleError::NotFinite { x: tile.x.start, y: tile.y.start });
                }
            }
        }
        Ok(dst)
    }

    /// Runs the engine on the tiles of one batch; the result is in `self.output`.
    fn infer(
        &mut self,
        src: &[&Plane],
        batch: &[Tile],
        cancel: &Cancel,
    ) -> Result<(), UpscaleError> {
        for slot in 0..self.batch() {
            // A batch that is not full repeats its last tile.
            let tile = &batch[slot.min(batch.len() - 1)];
            let rect = self.plan.rect(tile);
            gather(src, self.plan.border, rect, self.contract.range, &mut self.input, slot);
        }
        if cancel.is_raised() {
            return Err(EngineError::Cancelled.into());
        }
        self.engine.run(&self.input, &mut self.output, cancel)?;
        let expected = output_shape(&self.contract, &self.plan, self.batch());
        if self.output.shape != expected
            || !self.output.is_whole()
            || self.output.element() != self.contract.output.element
        {
            let layout = self.contract.output.layout;
            return Err(UpscaleError::WrongOutput {
                expected: expected.dims(layout),
                got: self.output.dims(),
            });
        }
        Ok(())
    }
}

fn input_shape(contract: &Contract, plan: &TilePlan, batch: usize) -> Shape {
    shape(batch, contract.input.channels, plan.tile_size())
}

fn output_shape(contract: &Contract, plan: &TilePlan, batch: usize) -> Shape {
    shape(batch, contract.output.channels, plan.tile_size().scaled(contract.scale))
}

const fn shape(batch: usize, channels: usize, size: Size) -> Shape {
    Shape { batch, channels, height: size.height, width: size.width }
}
