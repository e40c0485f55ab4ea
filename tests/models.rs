//! Models: what is read in the graph, what is measured, and what is refused.

#[path = "support/skip.rs"]
#[macro_use]
mod skip;

#[path = "support/zoo.rs"]
mod zoo;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gstkizuna::engine::{Halo, ModelSource};
use gstkizuna::models::{Card, Overrides, Reach, graph, resolve};
use gstkizuna::upscale::Ratio;
use zoo::Expect;

fn source(name: &str, bytes: Vec<u8>) -> ModelSource {
    ModelSource { name: name.into(), path: None, bytes: Arc::from(bytes) }
}

#[test]
fn graphs_are_read() {
    for zoo::Case { name, bytes, expect, .. } in zoo::all() {
        let graph = graph::read(&source(name, bytes), &Overrides::default()).unwrap();
        let Expect { scale, channels, layout, element, fixed, batch, .. } = expect;
        assert_eq!(graph.input.channels, channels, "{name}");
        assert_eq!((graph.input.layout, graph.output.layout), (layout, layout), "{name}");
        assert_eq!((graph.input.element, graph.output.element), (element, element), "{name}");
        assert_eq!(graph.input.width.zip(graph.input.height), fixed, "{name}");
        assert_eq!(graph.input.batch, batch, "{name}");
        assert_eq!(graph.opset, 17, "{name}");
        if expect.is_proven {
            assert_eq!(graph.scale, Ratio::new(scale.0, scale.1), "{name}");
            assert_eq!(graph.alignment, expect.alignment, "{name}");
        }
        match (expect.halo, graph.reach) {
            (Halo::Exact(px), Reach::Exact(found)) => assert_eq!(found, px, "{name}"),
            (Halo::Open, Reach::Open(_)) | (Halo::Measured(_), Reach::Unknown(_)) => {}
            (halo, reach) => panic!("{name}: {halo:?} expected, {reach:?} found"),
        }
    }
}

#[test]
fn costs_are_counted() {
    let case = zoo::case("rgb-x2");
    let graph = graph::read(&source("x", case.bytes), &Overrides::default()).unwrap();
    // 12 filters of 3x3x3; live at once: 12 channels before and after the shuffle.
    assert_eq!(graph.macs_per_px, 324.0);
    assert_eq!(graph.parameters, 324);
    assert_eq!(graph.bytes_per_px, 24 * 4);
}

#[test]
fn bad_models_are_refused_by_rule() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, says) in zoo::bad() {
        let path = dir.path().join(name).with_added_extension("onnx");
        fs::write(&path, bytes).unwrap();
        let found = resolve(path.to_str(), &[]);
        let refused = found.and_then(|found| graph::read(&found.source, &Overrides::default()));
        let message = refused.expect_err(name).to_string();
        assert!(message.contains(says) && message.contains(name), "{name}: {message}");
    }
}

/// Whatever is cut off or changed, the answer is a model or an error, never a crash.
#[test]
fn damaged_files_never_panic() {
    let bytes = zoo::case("einsum-scatter").bytes;
    for cut in 0..bytes.len() {
        _ = graph::read(&source("cut", bytes[..cut].to_vec()), &Overrides::default());
        for value in [0, 0x7f, 0xff] {
            let mut changed = bytes.clone();
            changed[cut] = value;
            _ = graph::read(&source("changed", changed), &Overrides::default());
        }
    }
}

#[test]
fn files_that_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let says = |path: &Path, part: &str| {
        let message = resolve(path.to_str(), &[]).unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    says(&dir.path().join("missing.onnx"), "no such file");
    says(dir.path(), "is a directory");
    let empty = dir.path().join("empty.onnx");
    fs::write(&empty, []).unwrap();
    says(&empty, "is empty");
}

#[cfg(unix)]
#[test]
fn unreadable_and_odd_files() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let dir = tempfile::tempdir().unwrap();
    let path = zoo::write(&zoo::case("rgb-x2"), dir.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root may read everything.
    match resolve(path.to_str(), &[]) {
        Err(error) => assert!(error.to_string().contains("right to read"), "{error}"),
        Ok(_) => assert!(fs::File::open(&path).is_ok()),
    }
    // A link that leads out of the folder is no way around the rule.
    let model = dir.path().join("linked.onnx");
    symlink("/etc/passwd", dir.path().join("weights.bin")).unwrap();
    fs::write(&model, zoo::with_external("weights.bin")).unwrap();
    let found = resolve(model.to_str(), &[]).unwrap();
    let error = graph::read(&found.source, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("outside the model's folder"), "{error}");
}

#[test]
fn cards_lead_to_their_files() {
    let (cards, weights) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dirs = [cards.path().to_path_buf(), weights.path().to_path_buf()];
    let zeros = "0".repeat(64);
    let card = format!("name = 'mine'\nfile = 'rgb-x2.onnx'\nsha256 = '{zeros}'\n");
    fs::write(cards.path().join("mine.toml"), card).unwrap();
    let error = resolve(Some("mine"), &dirs).unwrap_err().to_string();
    assert!(error.contains("rgb-x2.onnx") && error.contains("cargo xtask models"), "{error}");
    let error = resolve(Some("mime"), &dirs).unwrap_err().to_string();
    assert!(error.contains("Did you mean mine"), "{error}");

    zoo::write(&zoo::case("rgb-x2"), weights.path());
    let found = resolve(Some("mine"), &dirs).unwrap();
    assert_eq!(found.source.name, "mine");
    assert_eq!(found.warnings.len(), 1, "another checksum is a warning");
    assert_eq!(found.card.map(|card| card.is_sidecar), Some(false));
}

/// What is known of the networks that are installed: radii measured in `references/models-and-test-content.md`.
#[test]
fn shipped_models_are_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut names: Vec<_> = ["anime4k-m", "anime4k-vl"].map(String::from).into();
    for entry in fs::read_dir(&dir).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            let card = Card::read(&path).unwrap();
            if dir.join(&card.file).is_file() {
                names.push(card.name);
            } else if !names.contains(&card.name) {
                skip!("{} is not installed (cargo xtask models)", card.name);
            }
        }
    }
    for name in names {
        let found = resolve(Some(&name), std::slice::from_ref(&dir)).unwrap();
        let graph = graph::read(&found.source, &Overrides::default()).unwrap();
        println!(
            "{name}: {:?} scale {:?}, alignment {}, min {}, {:.0} MAC/px, {} bytes/px",
            graph.reach,
            graph.scale,
            graph.alignment,
            graph.min_size,
            graph.macs_per_px,
            graph.bytes_per_px
        );
        let radius = match graph.reach {
            Reach::Exact(px) => Some(px),
            Reach::Open(_) => None,
            Reach::Unknown(node) => panic!("{name}: {node} is not known"),
        };
        match name.split('-').next() {
            Some("anime4k" | "upconv7") => assert!(matches!(radius, Some(7 | 8)), "{name}"),
            Some("animevideov3") => assert!(matches!(radius, Some(18..=20)), "{name}"),
            Some("x4plus") => assert!(radius.is_some_and(|px| px > 32), "{name}"),
            Some("cunet" | "realcugan") => assert_eq!(radius, None, "{name}"),
            _ => {}
        }
    }
}

#[cfg(feature = "embedded")]
mod measured {
    use super::*;
    use gstkizuna::engine::{Cancel, EngineError, EngineOptions, Provider, open};
    use gstkizuna::models::{ModelError, Report, inspect, inspect_with, proven};
    use gstkizuna::upscale::Tensor;

    fn inspected(source: &ModelSource, card: Option<&Card>) -> Report {
        let options = EngineOptions::default();
        let mut engine = open(Provider::Embedded, source, None, &options).unwrap();
        let mut run = |input: &Tensor| -> Result<Tensor, EngineError> {
            let mut output = Tensor::zeros(input.shape, input.layout, input.element());
            engine.run(input, &mut output, &Cancel::new())?;
            Ok(output)
        };
        inspect(source, card, &mut run).unwrap()
    }

    #[test]
    fn the_zoo_is_found_to_be_what_it_is() {
        let dir = tempfile::tempdir().unwrap();
        for case in zoo::all() {
            let path = zoo::write(&case, dir.path());
            let found = resolve(path.to_str(), &[]).unwrap();
            let report = inspected(&found.source, found.card.as_ref());
            let (contract, expect, name) = (&report.contract, case.expect, case.name);
            assert_eq!(Some(contract.scale), Ratio::new(expect.scale.0, expect.scale.1), "{name}");
            assert_eq!(contract.halo, expect.halo, "{name}\n{report}");
            assert_eq!(contract.alignment, expect.alignment, "{name}\n{report}");
            assert_eq!(contract.min_size, expect.min_size, "{name}\n{report}");
            assert_eq!(contract.range, expect.range, "{name}\n{report}");
        }
    }

    /// For our own models the graph's word is taken where it proves everything: it must be what runs show.
    #[test]
    fn what_graphs_prove_is_what_runs_show() {
        let proves = |source: &ModelSource, card: Option<&Card>| {
            let mut contract = None;
            let shown = inspected(source, card);
            let read = inspect_with(source, card, |graph, known| {
                let unknown = EngineError::Run("only a run can tell".into());
                proven(graph, known)
                    .ok_or_else(|| ModelError::Probe { model: source.name.clone(), cause: unknown })
            });
            if let Ok(read) = read {
                assert_eq!(read.contract, shown.contract, "{}", source.name);
                contract = Some(read.contract);
            }
            contract.is_some()
        };
        let count = zoo::all()
            .into_iter()
            .filter(|case| proves(&source(case.name, case.bytes.clone()), None));
        assert!(count.count() > 2);
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
        for (name, is_plain) in [
            ("anime4k-m", true),
            ("anime4k-vl", true),
            ("animevideov3-x2", true),
            ("upconv7-x2", true),
            ("cunet-x2", false),
        ] {
            match resolve(Some(name), std::slice::from_ref(&dir)) {
                Ok(found) => {
                    assert_eq!(proves(&found.source, found.card.as_ref()), is_plain, "{name}");
                }
                Err(e) => skip!("{e}"),
            }
        }
    }

    #[test]
    fn a_sidecar_is_believed_where_it_may_be() {
        let case = zoo::case("unknown-op");
        let text =
            "title = 'Mine'\n[contract]\nhalo = 5\nscale = '4'\nalignment = 6\nmin-size = 8\n";
        let card = Card::parse(text, Path::new("unknown-op.toml")).unwrap();
        let card = Card { is_sidecar: true, ..card };
        let report = inspected(&source("unknown-op", case.bytes), Some(&card));
        assert_eq!(report.contract.halo, Halo::Measured(5));
        assert_eq!((report.contract.alignment, report.contract.min_size), (6, 12));
        assert_eq!(Some(report.contract.scale), Ratio::whole(1));
        let text = report.to_string();
        assert!(text.contains("Mine") && text.contains("[sidecar]"), "{text}");
        assert!(text.contains("the sidecar says scale 4, but it is 1"), "{text}");
    }

    #[test]
    fn the_embedded_models() {
        for name in gstkizuna::models::embedded::names() {
            let (source, card) = gstkizuna::models::embedded::embedded(name).unwrap().unwrap();
            let report = inspected(&source, Some(&card));
            println!("{report}");
            assert_eq!(Some(report.contract.scale), Ratio::whole(2));
            assert!(report.contract.halo.is_exact());
            assert!(report.warnings.is_empty(), "{report}");
        }
    }
}
