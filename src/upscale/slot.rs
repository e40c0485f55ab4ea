//! Engines with their tensors: one for a network's tiles, and some for patches of other shapes.

use std::time::{Duration, Instant};

use super::gather::gather;
use super::geometry::{Rect, Size};
use super::network::UpscaleError;
use super::picture::Plane;
use super::tensor::{Shape, Tensor};
use crate::engine::{Cancel, Contract, Engine, EngineError};

/// Opens an engine for input tensors of these dimensions in memory order; `None`: any.
pub type Open =
    Box<dyn FnMut(Option<[usize; 4]>, &Cancel) -> Result<Box<dyn Engine>, EngineError> + Send>;

/// An engine with its tensors, for runs of one shape.
pub(super) struct Slot {
    engine: Box<dyn Engine>,
    input: Tensor,
    output: Tensor,
    /// Pixels inferred so far, and the time that took.
    done: (usize, Duration),
}

impl Slot {
    /// For `batch` tiles of `size` a run.
    pub fn new(contract: &Contract, size: Size, batch: usize, engine: Box<dyn Engine>) -> Self {
        let (input, output) = (&contract.input, &contract.output);
        let small = shape(batch, input.channels, size);
        let large = shape(batch, output.channels, size.scaled(contract.scale));
        Self {
            engine,
            input: Tensor::zeros(small, input.layout, input.element),
            output: Tensor::zeros(large, output.layout, output.element),
            done: (0, Duration::ZERO),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// A tile's size in input pixels.
    pub fn size(&self) -> Size {
        Size::new(self.input.shape.width, self.input.shape.height)
    }

    /// Tiles per run.
    pub fn batch(&self) -> usize {
        self.input.shape.batch
    }

    /// The result of the last run.
    pub fn output(&self) -> &Tensor {
        &self.output
    }

    /// Seconds that a pixel takes; 0 before the first run.
    fn pace(&self) -> f64 {
        self.done.1.as_secs_f64() / self.done.0.max(1) as f64
    }

    /// Takes tiles of another size from now on, as an engine of any shape does.
    fn resize(&mut self, contract: &Contract, size: Size) {
        if self.size() != size {
            let (input, batch) = (&contract.input, self.batch());
            let small = shape(batch, input.channels, size);
            self.input = Tensor::zeros(small, input.layout, input.element);
        }
    }

    /// Runs the engine on the parts `rects` of the padded frame.
    pub fn run(
        &mut self,
        contract: &Contract,
        src: &[&Plane],
        border: usize,
        rects: impl Iterator<Item = Rect> + Clone,
        cancel: &Cancel,
    ) -> Result<(), UpscaleError> {
        let begun = Instant::now();
        // A batch that is not full repeats its last tile.
        let last = rects.clone().last();
        let full = rects.chain(std::iter::repeat_with(|| last).flatten());
        for (slot, rect) in full.take(self.batch()).enumerate() {
            gather(src, border, rect, contract.range, &mut self.input, slot);
        }
        if cancel.is_raised() {
            return Err(EngineError::Cancelled.into());
        }
        self.engine.run(&self.input, &mut self.output, cancel)?;
        let (output, port) = (&self.output, &contract.output);
        let expected = shape(self.batch(), port.channels, self.size().scaled(contract.scale));
        if output.shape != expected || !output.is_whole() || output.element() != port.element {
            let (expected, got) = (expected.dims(port.layout), output.dims());
            return Err(UpscaleError::WrongOutput { expected, got });
        }
        self.done.0 += self.batch() * self.size().area();
        self.done.1 += begun.elapsed();
        Ok(())
    }
}

/// Engines for patches.
///
/// An engine that takes any shape serves them all. One that is compiled for a shape takes as long to open as many patches to
/// run: until so many pixels were wasted by running patches in larger tiles that opening would have cost no more, the
/// smallest open one that they fit in serves. So at most twice the least possible time is spent, whatever comes.
///
/// Each of those needs memory for its own pixels: together they have no more than the network's own tiles, and the one that was
/// not needed for the longest time makes room.
pub struct Pool {
    open: Open,
    takes_any_shape: bool,
    /// The one used last is last.
    slots: Vec<Slot>,
    /// Pixels wasted so far for want of an engine of each size.
    wasted: Vec<(Size, usize)>,
    /// What opening the last one took.
    opening: Duration,
}

/// What opening an engine is taken to last before one was opened.
const OPENING: Duration = Duration::from_millis(150);

impl Pool {
    /// Engines that `open` opens, each for one shape, unless the first of them `takes_any_shape`.
    pub fn new(takes_any_shape: bool, open: Open) -> Self {
        Self { open, takes_any_shape, slots: Vec::new(), wasted: Vec::new(), opening: OPENING }
    }

    /// An engine for a patch of `size`, or of a larger one; `tiles` is the network's own.
    pub(super) fn slot<'a>(
        &'a mut self,
        contract: &Contract,
        size: Size,
        tiles: &'a mut Slot,
        cancel: &Cancel,
    ) -> Result<&'a mut Slot, EngineError> {
        if self.takes_any_shape {
            if self.slots.is_empty() {
                self.add(contract, size, cancel)?;
            }
            self.slots[0].resize(contract, size);
            return Ok(&mut self.slots[0]);
        }
        let fits = |s: Size| s.width >= size.width && s.height >= size.height;
        let open = self.slots.iter().map(Slot::size).enumerate();
        let best = open.filter(|&(_, s)| fits(s)).min_by_key(|&(_, s)| s.area());
        let own = Some(tiles.size()).filter(|&s| fits(s) && tiles.batch() == 1);
        let serving = best.map(|(_, s)| s).into_iter().chain(own).min_by_key(|s| s.area());
        if let Some(serving) = serving
            && (serving == size || !self.is_worth_opening(size, serving, tiles))
        {
            return Ok(match best {
                Some((i, s)) if s == serving => {
                    self.slots[i..].rotate_left(1);
                    self.last()
                }
                _ => tiles,
            });
        }
        self.make_room(size, tiles.size().area() * tiles.batch());
        self.add(contract, size, cancel)?;
        Ok(self.last())
    }

    fn last(&mut self) -> &mut Slot {
        self.slots.last_mut().expect("one was opened")
    }

    /// Notes that a patch of `size` would run in a tile of `serving`, as fast as `tiles` run.
    fn is_worth_opening(&mut self, size: Size, serving: Size, tiles: &Slot) -> bool {
        let index = self.wasted.iter().position(|(s, _)| *s == size).unwrap_or_else(|| {
            self.wasted.push((size, 0));
            self.wasted.len() - 1
        });
        let wasted = &mut self.wasted[index].1;
        *wasted += serving.area() - size.area();
        *wasted as f64 * tiles.pace() > self.opening.as_secs_f64()
    }

    /// Closes engines until one for `size` can be added without more than `most` pixels in all.
    fn make_room(&mut self, size: Size, most: usize) {
        let area = |slots: &[Slot]| slots.iter().map(|slot| slot.size().area()).sum::<usize>();
        while !self.slots.is_empty() && area(&self.slots) + size.area() > most {
            let closed = self.slots.remove(0).size();
            log::debug!("an engine for patches of {closed} makes room for one of {size}");
        }
    }

    fn add(&mut self, contract: &Contract, size: Size, cancel: &Cancel) -> Result<(), EngineError> {
        let begun = Instant::now();
        let batch = contract.input.batch.unwrap_or(1);
        let dims = shape(batch, contract.input.channels, size).dims(contract.input.layout);
        let engine = (self.open)((!self.takes_any_shape).then_some(dims), cancel)?;
        self.slots.push(Slot::new(contract, size, batch, engine));
        self.opening = begun.elapsed();
        // Should it be closed again, it has to pay anew.
        self.wasted.retain(|&(s, _)| s != size);
        Ok(())
    }
}

pub(super) const fn shape(batch: usize, channels: usize, size: Size) -> Shape {
    Shape { batch, channels, height: size.height, width: size.width }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::engine::contract::testing::contract;
    use crate::engine::{EngineInfo, Precision, Provider};

    /// Gives its input back, slowly where it has many pixels: so that opening pays. Counts the pixels of all that are open.
    struct Same(EngineInfo, usize, Arc<AtomicUsize>);

    impl Engine for Same {
        fn info(&self) -> &EngineInfo {
            &self.0
        }

        fn run(&mut self, from: &Tensor, to: &mut Tensor, _: &Cancel) -> Result<(), EngineError> {
            std::thread::sleep(Duration::from_millis(self.1 as u64 / 1000));
            to.clone_from(from);
            Ok(())
        }
    }

    impl Drop for Same {
        fn drop(&mut self) {
            self.2.fetch_sub(self.1, Ordering::Relaxed);
        }
    }

    fn open(open: &Arc<AtomicUsize>, size: Size) -> Box<dyn Engine> {
        open.fetch_add(size.area(), Ordering::Relaxed);
        let info = EngineInfo {
            provider: Provider::Cpu,
            runtime: "test".into(),
            device: "CPU".into(),
            precision: Precision::Fp32,
        };
        Box::new(Same(info, size.area(), open.clone()))
    }

    #[test]
    fn engines_of_many_shapes_have_no_more_pixels_than_the_tiles() {
        let (contract, pixels) = (contract(None), Arc::new(AtomicUsize::new(0)));
        let whole = Size::new(320, 200);
        let mut tiles = Slot::new(&contract, whole, 1, open(&pixels, whole));
        let planes: Vec<_> = (0..3).map(|_| Plane::new(whole)).collect();
        let planes: Vec<_> = planes.iter().collect();
        let counted = pixels.clone();
        let mut pool = Pool::new(
            false,
            Box::new(move |dims, _| {
                let [_, _, height, width] = dims.expect("a shape");
                Ok(open(&counted, Size::new(width, height)))
            }),
        );
        let mut shapes = std::collections::HashSet::new();
        for round in 0..100 {
            let size = Size::new(32 * (1 + round * 7 % 10), 20 * (1 + round * 3 % 10));
            let slot = pool.slot(&contract, size, &mut tiles, &Cancel::new()).unwrap();
            let given = slot.size();
            assert!(given.width >= size.width && given.height >= size.height);
            shapes.insert((given.width, given.height));
            let rect = std::iter::once(Rect::new(0, 0, given.width, given.height));
            slot.run(&contract, &planes, 0, rect, &Cancel::new()).unwrap();
            let open = pixels.load(Ordering::Relaxed);
            assert!(open <= 2 * whole.area(), "{open} pixels after {round} runs");
        }
        assert!(shapes.len() > 3, "{shapes:?}");
    }
}
