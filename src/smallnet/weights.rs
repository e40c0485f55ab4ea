//! Constants of a graph, of any size.

use std::collections::HashMap;

use half::f16;
use rten_onnx::onnx::{DataLocation, DataType, GraphProto, TensorProto};

/// Looks constants up by name: initialisers and `Constant` nodes.
pub(super) struct Weights<'a>(HashMap<&'a str, &'a TensorProto>);

impl<'a> Weights<'a> {
    pub fn of(graph: &'a GraphProto) -> Self {
        let named = graph.initializer.iter().filter_map(|t| Some((t.name.as_deref()?, t)));
        let nodes = graph.node.iter().filter_map(|node| {
            let value = node.attribute.iter().find(|a| a.name.as_deref() == Some("value"))?;
            let is_constant = node.op_type.as_deref() == Some("Constant");
            Some((node.output.first()?.as_str(), value.t.as_ref().filter(|_| is_constant)?))
        });
        Self(named.chain(nodes).collect())
    }

    /// Dimensions and values of a floating-point constant, or why there is none.
    pub fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("'{name}' is computed"))?;
        if tensor.data_location == Some(DataLocation::EXTERNAL) {
            return Err("its weights lie in another file".into());
        }
        let dims: Vec<_> = tensor.dims.iter().filter_map(|&d| usize::try_from(d).ok()).collect();
        let raw = tensor.raw_data.as_ref().map(|data| data.borrow());
        let raw = raw.as_deref().filter(|data| !data.is_empty());
        let values: Vec<f32> = match (tensor.data_type, raw) {
            (Some(DataType::FLOAT), Some(raw)) => {
                raw.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
            }
            (Some(DataType::FLOAT), None) => tensor.float_data.clone(),
            (Some(DataType::FLOAT16), Some(raw)) => {
                raw.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()
            }
            _ => return Err(format!("'{name}' is no tensor of floats")),
        };
        let elements = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        if elements != Some(values.len()) || dims.len() != tensor.dims.len() {
            return Err(format!("'{name}' is not as long as its shape says"));
        }
        Ok((dims, values))
    }
}
