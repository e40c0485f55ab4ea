//! Networks between raw samples, against the way through pictures: what [`decode`], tiles and [`encode`] make of the same frame.

use std::sync::Arc;

use gstkizuna::engine::{
    self, Cancel, Contract, EngineError, Halo, ModelSource, Provider, ValueRange,
};
use gstkizuna::models::test_card::sample;
use gstkizuna::models::{Overrides, graph};
use gstkizuna::onnx::{Endpoint, Ports, RewriteError, Wrap, to_half, wrap};
use gstkizuna::upscale::raw::RawTiles;
use gstkizuna::upscale::tile::{TilePlan, TileRequest};
use gstkizuna::upscale::video::network_model;
use gstkizuna::upscale::{
    ChromaSite, ColorSpec, Finish, Layout, Matrix, Network, Picture, PixelFormat, Plane, Range,
    Size, VideoSpec, Writer, decode,
};
use proptest::prelude::*;
use rten_onnx::onnx::DataType;

use crate::models::{Attr, Net, open, pass_on};
use crate::support::frame::Frame;
use crate::{options, shipped};

const F32: DataType = DataType::FLOAT;
const BT709: ColorSpec =
    ColorSpec { matrix: Matrix::Bt709, range: Range::Limited, site: ChromaSite::LEFT };

/// A network and its contract.
struct Model {
    source: ModelSource,
    contract: Arc<Contract>,
}

impl Model {
    fn new(name: &str, bytes: Arc<[u8]>, range: ValueRange) -> Self {
        let source = ModelSource { name: name.into(), path: None, bytes };
        let graph = graph::read(&source, &Overrides::default()).unwrap();
        let halo = match graph.reach {
            gstkizuna::models::Reach::Exact(px) => px,
            other => panic!("{name}: {other:?}"),
        };
        let contract = Contract {
            input: graph.input,
            output: graph.output,
            scale: graph.scale.unwrap(),
            range,
            alignment: graph.alignment,
            min_size: graph.min_size,
            halo: Halo::Exact(halo),
            bytes_per_px: graph.bytes_per_px,
        };
        Self { source, contract: Arc::new(contract) }
    }

    fn shipped(name: &str) -> Option<Self> {
        Some(Self::new(name, shipped(name)?, ValueRange::Unit))
    }

    /// Enlarges by repetition, and smooths a little.
    fn tiny(range: ValueRange, layout: Layout, channels: &'static str) -> Self {
        let n: usize = channels.parse().unwrap();
        let mut weights = pass_on([n, n]);
        weights.iter_mut().for_each(|w| *w *= 0.8);
        for o in 0..n {
            weights[(o * n + o) * 9 + 1] = 0.1;
            weights[(o * n + o) * 9 + 5] = 0.1;
        }
        let net = Net::default();
        let (net, dims, out) = match layout {
            Layout::Nchw => {
                let net = net.conv(F32, "in", "soft", [n, n], &weights).nearest(2.0, "soft", "out");
                (net, open(channels), open(channels))
            }
            Layout::Nhwc => {
                let there = [Attr::Ints("perm", &[0, 3, 1, 2])];
                let back = [Attr::Ints("perm", &[0, 2, 3, 1])];
                let net = net
                    .node("Transpose", &["in"], "planes", &there)
                    .conv(F32, "planes", "soft", [n, n], &weights)
                    .nearest(2.0, "soft", "large")
                    .node("Transpose", &["large"], "out", &back);
                (net, ["n", "h", "w", channels], ["n", "oh", "ow", channels])
            }
        };
        Self::new("tiny", net.source((F32, dims), (F32, out)).bytes, range)
    }

    fn request(&self, tile: Option<usize>) -> TileRequest {
        TileRequest {
            max_tile: tile.map(|side| Size::new(side, side)),
            halo: self.contract.halo.px(),
            border: 4,
            alignment: self.contract.alignment,
            min_size: self.contract.min_size,
            fixed_width: None,
            fixed_height: None,
            scale: self.contract.scale,
        }
    }

    /// By way of pictures.
    fn by_pictures(&self, src: &Frame, from: Endpoint, to: Endpoint) -> Option<Frame> {
        let input = VideoSpec { format: from.format, size: src.size, color: from.color };
        let model = network_model(self.contract.input.channels, &input);
        let mut picture = Picture::new(model, src.size);
        decode(&src.view(), &from.color, &mut picture);
        let plan = TilePlan::new(src.size, &self.request(None));
        let size = plan.output_size();
        let dims = Network::input_dims(&self.contract, &plan, 1);
        let engine = match engine::open(Provider::Cpu, &self.source, Some(dims), &options()) {
            Err(e @ EngineError::Library { .. }) => {
                skip!("{e}");
                return None;
            }
            opened => opened.unwrap(),
        };
        let mut network = Network::new(self.contract.clone(), plan, 1, false, engine);
        let planes: Vec<&Plane> =
            picture.planes.iter().take(self.contract.input.channels).collect();
        let mut result = network.run(&planes, None, Vec::new, &Cancel::new()).unwrap().planes;
        let spec = VideoSpec { format: to.format, size, color: to.color };
        let mut dst = Frame::new(to.format, size, 3);
        let mut writer = Writer::new(spec, model);
        dst.write(|dst| writer.write(&picture, &mut result, Finish::default(), dst)).unwrap();
        Some(dst)
    }

    /// Raw samples in, raw samples out.
    fn by_samples(
        &self,
        src: &Frame,
        (from, to): (Endpoint, Endpoint),
        tile: Option<usize>,
    ) -> Frame {
        let channels = self.contract.input.channels;
        let request = RawTiles::request(self.request(tile), channels, from.format, to.format);
        let plan = TilePlan::new(src.size, &request);
        let tiles = RawTiles::new(plan, channels, from.format, to.format).unwrap();
        let how = Wrap {
            contract: self.contract.clone(),
            input: from,
            output: to,
            batch: 1,
            tile: tiles.plan().tile_size(),
        };
        let mut network =
            engine::open_raw(Provider::Cpu, &self.source, &how, &options(), &Cancel::new())
                .unwrap();
        let mut dst = Frame::new(to.format, tiles.plan().output_size(), 3);
        let mut planes: Vec<_> =
            tiles.input_planes().iter().map(|plane| vec![0; plane.bytes()]).collect();
        let mut results = Vec::new();
        for tile in tiles.plan().tiles() {
            let mut slices: Vec<_> = planes.iter_mut().map(Vec::as_mut_slice).collect();
            tiles.cut(&src.view(), &tile, &mut slices).unwrap();
            assert!(network.run(&planes, &mut results, &Cancel::new()).unwrap(), "finite");
            for (bytes, plane) in results.iter().zip(tiles.output_planes()) {
                assert_eq!(bytes.len(), plane.bytes());
            }
            let slices: Vec<_> = results.iter().map(Vec::as_slice).collect();
            dst.write(|dst| tiles.paste(&tile, &slices, dst)).unwrap();
        }
        dst
    }
}

/// The drawn picture in any format; samples that mean nothing are noise.
fn drawn(format: PixelFormat, size: Size) -> Frame {
    let mut frame = Frame::new(format, size, 5);
    let info = format.info();
    let max = ((1u32 << info.depth) - 1) as f32;
    for (c, component) in info.components.iter().chain(&info.padding).enumerate() {
        let (sx, sy) = if info.is_subsampled(c) { info.subsampling } else { (0, 0) };
        frame.fill(component, |x, y| {
            let v = sample(3, c, y << sy, x << sx);
            let v = if c > 0 && info.is_subsampled(c) { 0.5 + (v - 0.5) * 0.4 } else { v };
            (v * max).round() as u32
        });
    }
    frame
}

/// How far two frames differ.
#[derive(Debug, Default)]
struct Difference {
    /// Largest in codes, and samples alike in percent: more than `margin` pixels inside.
    inside: i32,
    alike: f64,
    /// The same of the frame's edge.
    edge: i32,
    edge_alike: f64,
}

fn difference(a: &Frame, b: &Frame, margin: usize) -> Difference {
    let info = a.format.info();
    let (mut found, mut counts) = (Difference::default(), [[0_u32; 2]; 2]);
    for (c, component) in info.components.iter().enumerate() {
        let size = info.component_size(c, a.size);
        let (sx, sy) = if info.is_subsampled(c) { info.subsampling } else { (0, 0) };
        let codes = |frame: &Frame| {
            let mut codes = Vec::new();
            frame.clone().map(component, |_, _, code| {
                codes.push(code as i32);
                code
            });
            codes
        };
        for (i, (a, b)) in codes(a).into_iter().zip(codes(b)).enumerate() {
            let (x, y) = (i % size.width, i / size.width);
            let is_inside = |at: usize, len: usize, shift: u32| {
                (margin..(len << shift).saturating_sub(margin)).contains(&(at << shift))
            };
            let inside = is_inside(x, size.width, sx) && is_inside(y, size.height, sy);
            let worst = if inside { &mut found.inside } else { &mut found.edge };
            *worst = (*worst).max((a - b).abs());
            counts[usize::from(inside)][usize::from(a == b)] += 1;
        }
    }
    let share =
        |[other, alike]: [u32; 2]| 100.0 * f64::from(alike) / f64::from((other + alike).max(1));
    (found.edge_alike, found.alike) = (share(counts[0]), share(counts[1]));
    found
}

/// At the frame's edge the border is another one; it is as good, and near.
fn is_near(title: &str, found: &Difference, format: PixelFormat) {
    let depth = format.info().depth;
    let least = match depth {
        8 => 90.0,
        16 => 20.0,
        _ => 80.0,
    };
    let near = found.edge <= 12 << (depth - 8) && found.edge_alike > least;
    assert!(near, "{title}: {found:?}");
}

fn end(format: PixelFormat, color: ColorSpec) -> Endpoint {
    Endpoint { format, color }
}

/// Formats that go in and come out.
fn pairs() -> Vec<(PixelFormat, PixelFormat)> {
    use PixelFormat::*;
    let plain = PixelFormat::ALL.iter().copied().filter(|f| f.info().alpha.is_none());
    let mut pairs: Vec<_> = plain.map(|format| (format, format)).collect();
    pairs.extend([
        (I420, Nv12),
        (Nv12, P010_10le),
        (P010_10le, Y444),
        (I420, I420_10le),
        (Y42b, Rgb),
        (Bgrx, I420),
        (Gray8, Y444),
        (Y444_16le, Gray8),
    ]);
    pairs
}

#[test]
fn every_format_is_what_pictures_make_of_it() {
    let Some(model) = Model::shipped("anime4k-m") else { return };
    let size = Size::new(97, 61);
    for (from, to) in pairs() {
        let ends = (end(from, BT709), end(to, BT709));
        let src = drawn(from, size);
        let Some(wanted) = model.by_pictures(&src, ends.0, ends.1) else { return };
        let got = model.by_samples(&src, ends, Some(48));
        // Halo, border and chroma.
        let found = difference(&wanted, &got, 2 * (7 + 4 + 2));
        let title = format!("{} to {}", from.name(), to.name());
        println!("{title:24} {found:.2?}");
        // Codes of 16 bits show the last bits of fp32.
        let (allowed, alike) = if to.info().depth == 16 { (8, 30.0) } else { (1, 99.0) };
        assert!(found.inside <= allowed && found.alike >= alike, "{title}: {found:?}");
        is_near(&title, &found, to);
    }
}

#[test]
fn every_siting_and_matrix_is_what_pictures_make_of_it() {
    let Some(model) = Model::shipped("anime4k-m") else { return };
    let size = Size::new(80, 50);
    let sites = [ChromaSite::LEFT, ChromaSite::CENTRE, ChromaSite::TOP_LEFT, ChromaSite::TOP];
    for format in [PixelFormat::I420, PixelFormat::P010_10le] {
        for (site, matrix) in
            sites.into_iter().zip([Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020, Matrix::Smpte240m])
        {
            let color = ColorSpec { matrix, range: Range::Full, site };
            let (from, to) = (end(format, color), end(format, color));
            let src = drawn(format, size);
            let Some(wanted) = model.by_pictures(&src, from, to) else { return };
            // The whole frame at once: what differs is the frame's edge alone.
            let got = model.by_samples(&src, (from, to), None);
            let found = difference(&wanted, &got, 2 * (7 + 4 + 2));
            println!("{} {site:?}: {found:.2?}", format.name());
            assert!(found.inside <= 1 && found.alike >= 99.0, "{site:?}: {found:?}");
            is_near(&format!("{site:?}"), &found, format);
            if site == ChromaSite::CENTRE {
                // Only what goes out differs: the mirror image of raw chroma is that of the picture.
                assert!(found.edge <= 1 << (format.info().depth - 8), "{site:?}: {found:?}");
            }
        }
    }
    // From one matrix, range and siting to another.
    let other = ColorSpec { matrix: Matrix::Bt601, range: Range::Full, site: ChromaSite::CENTRE };
    let ends = (end(PixelFormat::I420, BT709), end(PixelFormat::I420, other));
    let src = drawn(PixelFormat::I420, size);
    let wanted = model.by_pictures(&src, ends.0, ends.1).unwrap();
    let found = difference(&wanted, &model.by_samples(&src, ends, Some(40)), 26);
    assert!(found.inside <= 1 && found.alike >= 99.0, "{found:?}");
}

#[test]
fn every_kind_of_network_is_wrapped() {
    use Layout::{Nchw, Nhwc};
    use ValueRange::{Byte, Signed, Unit};
    let size = Size::new(70, 50);
    for (range, layout, channels) in [
        (Unit, Nhwc, "3"),
        (Signed, Nchw, "3"),
        (Byte, Nhwc, "3"),
        (Unit, Nchw, "1"),
        (Byte, Nhwc, "1"),
    ] {
        let model = Model::tiny(range, layout, channels);
        use PixelFormat::*;
        for (from, to) in
            [(I420, I420), (Nv12, P010_10le), (Y444, Rgb), (Rgb, Y42b), (Gray8, Gray8)]
        {
            let ends = (end(from, BT709), end(to, BT709));
            let src = drawn(from, size);
            let Some(wanted) = model.by_pictures(&src, ends.0, ends.1) else { return };
            let found = difference(&wanted, &model.by_samples(&src, ends, Some(40)), 20);
            let title = format!("{range:?} {layout:?} {channels} {} {}", from.name(), to.name());
            println!("{title}: {found:.2?}");
            assert!(found.inside <= 1 && found.alike >= 99.0, "{title}: {found:?}");
        }
    }
}

#[test]
fn a_deep_network_is_wrapped_in_fp32_and_fp16() {
    let Some(model) = Model::shipped("animevideov3-x2") else { return };
    let ends = (end(PixelFormat::Nv12, BT709), end(PixelFormat::Nv12, BT709));
    let src = drawn(PixelFormat::Nv12, Size::new(72, 64));
    let Some(wanted) = model.by_pictures(&src, ends.0, ends.1) else { return };
    let margin = 2 * (19 + 4 + 2);
    let found = difference(&wanted, &model.by_samples(&src, ends, None), margin);
    println!("fp32: {found:.2?}");
    assert!(found.inside <= 1 && found.alike >= 99.0, "{found:?}");

    for ports in [Ports::Keep, Ports::Half] {
        let half = to_half(&model.source.bytes, ports).unwrap().unwrap();
        let half = Model::new("fp16", half.bytes, ValueRange::Unit);
        let found = difference(&wanted, &half.by_samples(&src, ends, None), margin);
        println!("fp16, {ports:?}: {found:.2?}");
        assert!(found.inside <= 2 && found.alike >= 80.0, "{found:?}");
    }
}

#[test]
fn infinity_is_seen_and_what_cannot_be_wrapped_is_said() {
    let [i, o] = crate::models::same(F32, "3");
    let net =
        Net::default().weight(F32, "zero", &[], &[0.0]).node("Div", &["in", "zero"], "out", &[]);
    let model = Model::new("broken", net.source(i, o).bytes, ValueRange::Unit);
    let rgb = end(PixelFormat::Rgb, BT709);
    let tile = Size::new(8, 6);
    let how = Wrap { contract: model.contract.clone(), input: rgb, output: rgb, batch: 1, tile };
    match engine::open_raw(Provider::Cpu, &model.source, &how, &options(), &Cancel::new()) {
        Err(e @ EngineError::Library { .. }) => skip!("{e}"),
        opened => {
            let mut out = Vec::new();
            let white = vec![vec![200; 8 * 6 * 3]];
            let is_finite = opened.unwrap().run(&white, &mut out, &Cancel::new()).unwrap();
            assert!(!is_finite);
        }
    }

    let refused = |how: Wrap| match wrap(&model.source.bytes, &how) {
        Err(RewriteError::Unfit(text)) => text,
        other => panic!("{other:?}"),
    };
    let rgba = end(PixelFormat::Rgba, BT709);
    assert!(refused(Wrap { output: rgba, ..how.clone() }).contains("alpha"));
    let i420 = end(PixelFormat::I420, BT709);
    assert!(refused(Wrap { input: i420, tile: Size::new(9, 6), ..how.clone() }).contains("9x6"));
    assert_eq!(wrap(&model.source.bytes, &how), wrap(&model.source.bytes, &how));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever the file, an answer or an error.
    #[test]
    fn damaged_files_do_no_harm(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        which in any::<prop::sample::Index>(),
    ) {
        let model = Model::tiny(ValueRange::Byte, Layout::Nhwc, "3");
        let mut bytes = model.source.bytes.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (from, to) = pairs()[which.index(pairs().len())];
        let ends = (end(from, BT709), end(to, BT709));
        let how = Wrap {
            contract: model.contract.clone(),
            input: ends.0,
            output: ends.1,
            batch: 1,
            tile: Size::new(16, 12),
        };
        if let Ok(wrapped) = wrap(&bytes, &how) {
            rten_onnx::onnx::ModelProto::parse_buf(&wrapped.bytes).unwrap();
        }
    }
}
