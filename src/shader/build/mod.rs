//! From shader files and two video formats to a [`Graph`]: mpv's order of stages, and its rules for names, sizes and offsets
//! (mpv's `video/out/gpu/video.c` and libplacebo's `docs/custom-shaders.md` describe them).

mod hook;
mod kernel;
mod own;
mod picture;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::device::Device;
use super::error::ShaderError;
use super::file::{HookPass, SampleFormat, SampleKind, ShaderFile};
use super::graph::{Graph, Pass, Skipped, Slot, Static, Texture, Work};
use super::stage::{self, Stage};
use super::{Place, liveness};
use crate::upscale::format::Kind;
use crate::upscale::{Size, VideoSpec};
use picture::{Image, Picture};

/// Most device memory that a graph's textures may take, in bytes.
const MAX_BYTES: usize = 4 << 30;
/// Most passes of a frame.
const MAX_PASSES: usize = 2048;

/// What a graph is made for.
#[derive(Debug)]
pub struct Request<'a> {
    /// Frames that come in.
    pub input: VideoSpec,
    /// Frames that go out.
    pub output: VideoSpec,
    /// Shader files in the order in which they run at a stage.
    pub files: &'a [ShaderFile],
    /// Values of parameters: by name, or by `file/name` for one file's alone, where the file's folders may be left out.
    pub params: &'a BTreeMap<String, f64>,
    /// What runs it.
    pub device: &'a Device,
}

/// Resolves a frame's passes.
///
/// # Errors
/// [`ShaderError`] for a pass whose size, parameters or needs cannot be met. That a pass does not run because of its `WHEN` or a
/// texture that does not exist is no error: [`Graph::skipped`] says so.
pub fn build(request: &Request) -> Result<Graph, ShaderError> {
    let mut builder = Builder::new(request)?;
    let last = builder.frame()?;
    builder.finish(last)
}

/// A graph while it grows. Results are numbered in the order in which they are made; slots are given at the end.
struct Builder<'a> {
    request: &'a Request<'a>,
    /// Values of each file's parameters.
    values: Vec<Vec<f64>>,
    passes: Vec<Pass>,
    results: Vec<Slot>,
    statics: Vec<Static>,
    /// Where each file's textures are in `statics`.
    file_textures: Vec<HashMap<String, usize>>,
    skipped: Vec<Skipped>,
    /// Textures that stages have given a name.
    named: HashMap<&'static str, Image>,
    /// The picture's size at stages, materialised or not.
    sizes: HashMap<&'static str, Size>,
    /// What each file's passes saved.
    saved: Vec<HashMap<String, Image>>,
    /// The offset of luma, which `OFFSET ALIGN` aligns to.
    reference_offset: [f32; 2],
}

impl<'a> Builder<'a> {
    fn new(request: &'a Request<'a>) -> Result<Self, ShaderError> {
        let mut statics = Vec::new();
        let mut file_textures = Vec::new();
        let mut values = Vec::new();
        for file in request.files {
            let mut places = HashMap::new();
            for texture in &file.textures {
                places.insert(texture.name.clone(), statics.len());
                statics.push(texture.content.clone());
            }
            file_textures.push(places);
            values.push(values_of(file, request.params)?);
        }
        Ok(Self {
            request,
            values,
            passes: vec![],
            results: vec![],
            statics,
            file_textures,
            skipped: vec![],
            named: HashMap::new(),
            sizes: HashMap::new(),
            saved: vec![HashMap::new(); request.files.len()],
            reference_offset: [0.0; 2],
        })
    }

    /// A frame's way from its planes to its planes; the last picture.
    fn frame(&mut self) -> Result<Option<Image>, ShaderError> {
        let info = self.request.input.format.info();
        self.note_stages_that_never_fire();
        let native = match info.kind {
            Kind::Rgb => {
                let planes = self.source(&[0, 1, 2]);
                self.fire(Stage::Rgb, planes)?
            }
            Kind::Gray => {
                let luma = self.source(&[0]);
                self.fire(Stage::Luma, luma)?
            }
            Kind::Yuv => self.luma_and_chroma()?,
        };
        let native = self.fire(Stage::Native, native)?;
        let mut picture = self.decoded(native)?;
        for stage in [Stage::MainPresub, Stage::Main, Stage::Prekernel] {
            picture = self.fire(stage, picture)?;
        }
        let mut picture = self.scale(picture)?;
        for stage in [Stage::Postkernel, Stage::Scaled, Stage::Preoutput, Stage::Output] {
            picture = self.fire(stage, picture)?;
        }
        let previous = self.is_bound(PREVIOUS);
        let last = if previous { Some(self.materialised(&picture, "last picture")?) } else { None };
        let picture = last.map_or(picture, Picture::of);
        self.write_planes(picture)?;
        Ok(last)
    }

    fn luma_and_chroma(&mut self) -> Result<Picture, ShaderError> {
        let luma = self.source(&[0]);
        let luma = self.fire(Stage::Luma, luma)?;
        self.reference_offset = luma.offset();
        let chroma = self.source(&[1, 2]);
        let chroma = self.fire(Stage::Chroma, chroma)?;
        if (chroma.size(), chroma.offset()) == (luma.size(), luma.offset()) {
            let reason = "CHROMA_SCALED never comes: chroma has luma's size and place already";
            for pass in self.request.files.iter().flat_map(|file| &file.passes) {
                if pass.hooks.iter().any(|hook| hook == Stage::ChromaScaled.name()) {
                    self.skip(pass, reason.into());
                }
            }
            return Ok(luma.beside(chroma));
        }
        let chroma = self.chroma_to(&luma, chroma)?;
        let chroma = self.fire(Stage::ChromaScaled, chroma)?;
        Ok(luma.beside(chroma))
    }

    /// The picture after the passes that hook `stage`.
    fn fire(&mut self, stage: Stage, picture: Picture) -> Result<Picture, ShaderError> {
        let name = stage.name();
        self.sizes.insert(name, picture.size());
        if !self.will_run(stage, &picture) && !self.is_bound_elsewhere(name) {
            // Says why none of them runs.
            self.run_hooks(stage, picture.samples[0].image)?;
            self.named.remove(name);
            return Ok(picture);
        }
        let image = self.materialised(&picture, name)?;
        let image = self.run_hooks(stage, image)?;
        self.sizes.insert(name, image.size);
        Ok(Picture::of(image))
    }

    fn is_bound(&self, name: &str) -> bool {
        self.passes_of_files().any(|pass| pass.binds.iter().any(|bind| bind == name))
    }

    /// Whether a pass that hooks another stage reads what this one gives.
    fn is_bound_elsewhere(&self, name: &str) -> bool {
        self.passes_of_files().any(|pass| {
            pass.binds.iter().any(|bind| bind == name) && pass.hooks.iter().any(|hook| hook != name)
        })
    }

    fn passes_of_files(&self) -> impl Iterator<Item = &'a HookPass> {
        self.request.files.iter().flat_map(|file| &file.passes)
    }

    /// Says which hooks name a stage that does not exist, or not for these frames.
    fn note_stages_that_never_fire(&mut self) {
        let kind = self.request.input.format.info().kind;
        let files = self.request.files;
        for pass in files.iter().flat_map(|file| &file.passes) {
            for hook in &pass.hooks {
                let reason = match (Stage::from_name(hook), kind) {
                    (None, _) => stage::never(hook).unwrap_or("there is no stage of that name"),
                    (Some(Stage::Rgb), Kind::Yuv | Kind::Gray) => "the video is not RGB",
                    (Some(Stage::Luma), Kind::Rgb) => "the video is RGB",
                    (Some(Stage::Chroma | Stage::ChromaScaled), Kind::Rgb | Kind::Gray) => {
                        "the video has no chroma"
                    }
                    _ => continue,
                };
                self.skip(pass, format!("{hook} never comes: {reason}"));
            }
        }
    }

    fn skip(&mut self, pass: &HookPass, reason: String) {
        let (name, place) = (pass.name.clone(), pass.place.clone());
        self.skipped.push(Skipped { name, place, reason });
    }

    /// Adds a pass whose result is a new image of `components` channels.
    fn add(&mut self, pass: Pass, components: u8) -> Result<Image, ShaderError> {
        let format = self.float_format(components, pass.work != Work::Draw);
        let size = pass.size;
        let texture = Texture::Slot(self.results.len());
        self.results.push(Slot { size, format });
        self.push(pass, vec![texture])?;
        Ok(Image { texture, size, components, multiplier: 1.0, offset: [0.0; 2], shift: [0.0; 2] })
    }

    /// Adds a pass that writes `writes`.
    fn push(&mut self, pass: Pass, writes: Vec<Texture>) -> Result<(), ShaderError> {
        if self.passes.len() == MAX_PASSES {
            let place = pass.place.unwrap_or(Place { file: pass.name, line: 1 });
            return Err(place.error(format!("a frame has more than {MAX_PASSES} passes")));
        }
        self.passes.push(Pass { writes, ..pass });
        Ok(())
    }

    /// What results of `components` channels are stored as: half floats; 32 bits where video has more than 10.
    fn float_format(&self, components: u8, is_written_as_image: bool) -> SampleFormat {
        let Request { input, output, device, .. } = self.request;
        let depth = input.format.info().depth.min(output.format.info().depth);
        let kind = if depth > 10 { SampleKind::Float } else { SampleKind::Half };
        // ES knows images of few formats.
        let channels = match components {
            1 | 2 if !(device.is_es && is_written_as_image) => components,
            _ => 4,
        };
        SampleFormat { channels, kind, data: kind, data_channels: channels }
    }

    fn unknown_params(&self) -> Vec<String> {
        let Request { files, params, .. } = self.request;
        let is_known = |set: &String| {
            let is_called = |file: &ShaderFile, name: &str| keys(file, name).any(|key| key == *set);
            files.iter().any(|file| file.params.iter().any(|param| is_called(file, &param.name)))
        };
        params.keys().filter(|set| !is_known(set)).cloned().collect()
    }

    fn finish(mut self, last: Option<Image>) -> Result<Graph, ShaderError> {
        let kept = last.and_then(|image| match image.texture {
            Texture::Slot(result) => Some(result),
            _ => None,
        });
        let (slots, kept) = liveness::assign(&mut self.passes, &self.results, kept);
        let unknown_params = self.unknown_params();
        let Self { passes, statics, skipped, .. } = self;
        let graph = Graph { passes, slots, statics, kept, skipped, unknown_params };
        if graph.bytes() > MAX_BYTES {
            let (largest, files) = (graph.largest(), self.request.files);
            let first = Place { file: files.first().map_or("", |f| &f.name).into(), line: 1 };
            let place = largest.and_then(|pass| pass.place.clone()).unwrap_or(first);
            let (wanted, most) = (graph.bytes() >> 20, MAX_BYTES >> 20);
            return Err(place.error(format!(
                "all textures together would take {wanted} MiB; at most {most} MiB are used"
            )));
        }
        Ok(graph)
    }
}

/// A texture that only we have: the last picture of the frame before.
pub(super) const PREVIOUS: &str = "KIZUNA_PREV";

/// What the parameter `param` of a file may be called, that which goes before first: by the file as it was given, by its name
/// alone, by itself.
fn keys(file: &ShaderFile, param: &str) -> impl Iterator<Item = String> {
    let name = Path::new(&file.name).file_name().map(|name| name.to_string_lossy());
    let short = name.map(|name| format!("{name}/{param}"));
    [Some(format!("{}/{param}", file.name)), short, Some(param.into())].into_iter().flatten()
}

/// Values of a file's parameters, in its order.
fn values_of(file: &ShaderFile, set: &BTreeMap<String, f64>) -> Result<Vec<f64>, ShaderError> {
    let mut values = Vec::new();
    for param in &file.params {
        let value = keys(file, &param.name).find_map(|key| set.get(&key).copied());
        let value = value.unwrap_or(param.default);
        let value = param.check(value);
        values.push(value.map_err(|what| param.place.error(format!("{} {what}", param.name)))?);
    }
    Ok(values)
}
