//! Copies between our tensors and a runtime's, with memory used again.

use half::f16;

use super::{EngineError, failure};
use crate::upscale::{Samples, Shape, Tensor};

/// A type of elements that [`Samples`] knows.
pub(super) trait Sample: Copy {
    /// The elements of `samples`; emptied first where they are of another type.
    fn vec(samples: &mut Samples) -> &mut Vec<Self>;
}

macro_rules! sample {
    ($type:ty, $variant:ident) => {
        impl Sample for $type {
            fn vec(samples: &mut Samples) -> &mut Vec<Self> {
                if !matches!(samples, Samples::$variant(_)) {
                    *samples = Samples::$variant(Vec::new());
                }
                match samples {
                    Samples::$variant(v) => v,
                    _ => unreachable!(),
                }
            }
        }
    };
}

sample!(f32, F32);
sample!(f16, F16);
sample!(u8, U8);

/// Copies `src` to `dst`, whose memory is used again where it is large enough.
pub(super) fn store<T: Sample>(src: &[T], dst: &mut Samples) {
    let dst = T::vec(dst);
    dst.clear();
    dst.extend_from_slice(src);
}

/// Copies `src` to `dst`, whose memory is used again where it is large enough.
pub(super) fn copy(src: &Tensor, dst: &mut Tensor) {
    match &src.samples {
        Samples::F32(src) => store(src, &mut dst.samples),
        Samples::F16(src) => store(src, &mut dst.samples),
        Samples::U8(src) => store(src, &mut dst.samples),
    }
    dst.shape = src.shape;
    dst.layout = src.layout;
}

/// Says in `output` what shape a runtime gave it.
pub(super) fn set_dims(output: &mut Tensor, dims: &[i64]) -> Result<(), EngineError> {
    let sizes: Vec<_> = dims.iter().filter_map(|&n| usize::try_from(n).ok()).collect();
    let sizes = <[usize; 4]>::try_from(sizes)
        .map_err(|_| failure::run(format!("the output's shape is {dims:?}, no picture's")))?;
    output.shape = Shape::from_dims(sizes, output.layout);
    Ok(())
}
