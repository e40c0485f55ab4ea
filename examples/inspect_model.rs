//! Says everything that can be found out about a model: `cargo run --release --example inspect_model -- MODEL`.
//!
//! `MODEL` is a card's name or the path of an `.onnx` file; without it, the embedded model is shown.

use std::error::Error;

use gstkizuna::engine::{Cancel, EngineOptions, Provider, open};
use gstkizuna::models::{data_dirs, inspect, resolve};
use gstkizuna::upscale::Tensor;

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1);
    let own = std::env::current_exe()?;
    let found = resolve(model.as_deref(), &data_dirs(own.parent(), None))?;
    let mut engine = open(Provider::Embedded, &found.source, None, &EngineOptions::default())?;
    let report = inspect(&found.source, found.card.as_ref(), &mut |input| {
        let mut output = Tensor::zeros(input.shape, input.layout, input.element());
        engine.run(input, &mut output, &Cancel::new())?;
        Ok(output)
    })?;
    print!("{report}");
    for warning in found.warnings {
        println!("  warning: {warning}");
    }
    Ok(())
}
