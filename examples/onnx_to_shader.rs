//! Writes a small network as a user shader for mpv, libplacebo and `kizunashader`.
//!
//! ```text
//! cargo run --example onnx_to_shader -- anime4k-m anime4k-m.glsl
//! cargo run --example onnx_to_shader -- my-network.onnx my-network.glsl
//! mpv --glsl-shaders=my-network.glsl film.mkv
//! ```

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use gstkizuna::{models, shader, smallnet};
use lexopt::ValueExt as _;

fn main() -> Result<()> {
    let mut model = None;
    let mut output: Option<PathBuf> = None;
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            lexopt::Arg::Long("help") => {
                println!(
                    "onnx_to_shader MODEL OUT.glsl\nMODEL is a model's name (anime4k-m) or the path of an .onnx file"
                );
                return Ok(());
            }
            lexopt::Arg::Value(value) if model.is_none() => model = Some(value.string()?),
            lexopt::Arg::Value(value) if output.is_none() => output = Some(value.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let (Some(model), Some(output)) = (model, output) else {
        bail!("a model and the shader to be written are wanted; --help says more");
    };
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
    let found = models::resolve(Some(&model), &models::data_dirs(Some(&here), None))?;
    let net = smallnet::read(&found.source.bytes)
        .with_context(|| format!("{model} is no small network"))?;
    let name = &found.source.name;
    let passes = shader::write_network(&net, name)
        .with_context(|| format!("{model} cannot be run by shaders"))?;
    let licence = found.card.as_ref().and_then(|card| card.licence.as_deref());
    let licence = licence.map(|name| format!("// Licence of the weights: {name}\n"));
    let head = format!(
        "// {name}, written from ONNX by Kizuna's onnx_to_shader: {} times the size, {} multiply-adds a pixel.\n{}\n",
        net.scale(),
        net.macs(),
        licence.unwrap_or_default()
    );
    std::fs::write(&output, head + &passes)
        .with_context(|| format!("cannot write {}", output.display()))?;
    println!("{}: {} layers of {name}", output.display(), net.layers.len());
    Ok(())
}
