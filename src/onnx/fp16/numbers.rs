//! Constants in fp16.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rten_onnx::onnx::{DataType, NodeProto, TensorProto};

use super::super::RewriteError;
use super::super::build::tensor;
use crate::models::attrs::Attrs;

/// The smallest number above 0.
const LEAST: f32 = 5.960_464_5e-8;

/// A constant of floats, with the numbers out of range that it had.
pub(super) fn halved(
    name: String,
    full: &TensorProto,
) -> Result<(TensorProto, usize), RewriteError> {
    let mut numbers = floats(full)?;
    let clamped = fit(&mut numbers);
    let mut halves = vec![f16::ZERO; numbers.len()];
    halves.convert_from_f32_slice(&numbers);
    let raw = halves.iter().flat_map(|v| v.to_le_bytes()).collect();
    Ok((tensor(name, DataType::FLOAT16, full.dims.iter().copied(), raw), clamped))
}

/// The numbers of a tensor of floats.
fn floats(full: &TensorProto) -> Result<Vec<f32>, RewriteError> {
    let raw = full.raw_data.as_ref().map(|raw| raw.borrow());
    let numbers: Vec<f32> = match raw.as_deref() {
        Some(raw) if !raw.is_empty() => {
            raw.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
        }
        _ => full.float_data.clone(),
    };
    let wanted = full
        .dims
        .iter()
        .fold(1_usize, |n, &d| n.saturating_mul(usize::try_from(d).unwrap_or(usize::MAX)));
    if numbers.len() == wanted {
        return Ok(numbers);
    }
    let name = full.name.clone().unwrap_or_default();
    Err(RewriteError::Constant { name, numbers: numbers.len(), wanted })
}

/// Brings `numbers` into fp16's range; how many were beyond it. What is not 0 stays so: it may be divided by.
fn fit(numbers: &mut [f32]) -> usize {
    let largest = f16::MAX.to_f32();
    let mut clamped = 0;
    for v in numbers {
        let size = v.abs();
        if size > largest && size.is_finite() {
            *v = largest.copysign(*v);
            clamped += 1;
        } else if size < LEAST && size > 0.0 {
            *v = LEAST.copysign(*v);
        }
    }
    clamped
}

/// What a `Constant` node of floats holds; `None` for other nodes and types.
pub(super) fn constant(node: &NodeProto) -> Option<TensorProto> {
    if node.op_type.as_deref() != Some("Constant") {
        return None;
    }
    let attrs = Attrs(node);
    let of = |dims: Vec<i64>, values: &[f32]| TensorProto {
        dims,
        data_type: Some(DataType::FLOAT),
        float_data: values.to_vec(),
        ..TensorProto::default()
    };
    if let Some(value) = attrs.get("value").and_then(|a| a.t.as_ref()) {
        return (value.data_type == Some(DataType::FLOAT)).then(|| value.clone());
    }
    if let Some(value) = attrs.get("value_float").and_then(|a| a.f) {
        return Some(of(vec![], &[value]));
    }
    let list = attrs.get("value_floats")?;
    Some(of(vec![list.floats.len() as i64], &list.floats))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_brought_into_range() {
        let mut numbers = [0.0, 1.0, -1e9, 65504.0, 65519.0, 1e-20, -1e-20, f32::INFINITY];
        assert_eq!(fit(&mut numbers), 2);
        let halves = numbers.map(f16::from_f32);
        assert_eq!(halves[2], f16::MIN);
        assert_eq!(halves[4], f16::MAX);
        assert_eq!(halves[5..7], [f16::from_bits(1), f16::from_bits(0x8001)]);
        assert_eq!((halves[0], halves[7]), (f16::ZERO, f16::INFINITY));
    }
}
