//! Weights that are kept in files beside the model.

use std::path::{Component, Path};

use rten_onnx::onnx::{DataLocation, GraphProto, TensorProto};

use super::error::Rule;

/// Checks that all external data of `graph` lies inside `folder`, the model's own, and is as long as the graph says.
///
/// A model comes from strangers: one that reads `/etc/passwd` into its weights must not be handed to a runtime. Symbolic
/// links are followed, and must stay inside too.
///
/// # Errors
/// [`Rule::ExternalOutside`] or [`Rule::ExternalMissing`].
pub(super) fn check(graph: &GraphProto, folder: Option<&Path>) -> Result<(), Rule> {
    for tensor in &graph.initializer {
        check_tensor(tensor, folder)?;
    }
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        if let Some(tensor) = &attribute.t {
            check_tensor(tensor, folder)?;
        }
        if let Some(graph) = &attribute.g {
            check(graph, folder)?;
        }
    }
    Ok(())
}

fn check_tensor(tensor: &TensorProto, folder: Option<&Path>) -> Result<(), Rule> {
    let is_external = tensor.data_location == Some(DataLocation::EXTERNAL);
    if !is_external && tensor.external_data.is_empty() {
        return Ok(());
    }
    let entry = |key: &str| {
        let found = tensor.external_data.iter().find(|e| e.key.as_deref() == Some(key));
        found.and_then(|e| e.value.as_deref())
    };
    let location = entry("location").unwrap_or_default();
    let missing =
        |cause: &str| Rule::ExternalMissing { location: location.into(), cause: cause.into() };
    let outside = || Rule::ExternalOutside(location.into());
    if location.is_empty() {
        return Err(missing("it names no file"));
    }
    // Backslashes part folders on Windows alone, but a model is the same model everywhere.
    let climbs = location.split(['/', '\\']).any(|part| part == "..");
    let relative = Path::new(location);
    let is_plain =
        relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if climbs || !is_plain || location.contains(':') {
        return Err(outside());
    }
    let Some(folder) = folder else { return Err(missing("the model itself is not a file")) };
    let folder = folder.canonicalize().map_err(|error| missing(&error.to_string()))?;
    let file = folder.join(relative).canonicalize().map_err(|error| missing(&error.to_string()))?;
    if !file.starts_with(&folder) {
        return Err(outside());
    }
    let about = file.metadata().map_err(|error| missing(&error.to_string()))?;
    let number = |key| entry(key).map_or(Some(0), |text| text.parse::<u64>().ok());
    let end = number("offset").zip(number("length")).and_then(|(a, b)| a.checked_add(b));
    match end {
        _ if !about.is_file() => Err(missing("it is not a file")),
        Some(end) if end <= about.len() => Ok(()),
        _ => Err(missing("it is shorter than the graph says")),
    }
}
