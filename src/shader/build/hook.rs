//! Passes of shader files at a stage.

use super::super::error::ShaderError;
use super::super::file::{HookPass, Number, Offset, ParamKind};
use super::super::glsl::{Bound, BoundKind, Text};
use super::super::graph::{Pass, Sampler, Texture, Value, Work};
use super::super::rpn::{Axis, Expression, Names, NoValue};
use super::super::stage::Stage;
use super::super::texels::reads_whole_texels;
use super::super::words::words;
use super::super::{Border, Compute};
use super::picture::{Image, Picture};
use super::{Builder, PREVIOUS};
use crate::upscale::Size;

/// What a pass sees: its file and the texture that it hooks.
#[derive(Clone, Copy)]
struct Scope<'b, 'a> {
    builder: &'b Builder<'a>,
    file: usize,
    stage: Stage,
    hooked: Image,
}

/// What a name stands for.
enum Thing {
    Picture(Image),
    /// A texture of the file.
    Static(usize),
}

impl Builder<'_> {
    /// Whether anything that hooks `stage` will run. Where nothing does for `picture` as it is, nothing changes it.
    pub fn will_run(&self, stage: Stage, picture: &Picture) -> bool {
        let components = picture.samples.len() as u8;
        let hooked = Image { components, ..picture.samples[0].image };
        let files = self.request.files.iter().enumerate();
        files.flat_map(|(i, file)| file.passes.iter().map(move |p| (i, p))).any(|(file, pass)| {
            let scope = Scope { builder: self, file, stage, hooked };
            pass.hooks.iter().any(|hook| hook == stage.name())
                && scope.reason_to_skip(pass).is_none()
        })
    }

    /// Runs everything that hooks `stage`, in order, on `image`.
    pub fn run_hooks(&mut self, stage: Stage, mut image: Image) -> Result<Image, ShaderError> {
        let name = stage.name();
        self.named.insert(name, image);
        self.forget_saved(name);
        let files = self.request.files;
        for (file, pass) in
            files.iter().enumerate().flat_map(|(i, file)| file.passes.iter().map(move |p| (i, p)))
        {
            if pass.hooks.iter().any(|hook| hook == name) {
                self.run_hook(stage, file, pass, &mut image)?;
            }
        }
        Ok(image)
    }

    /// Runs `pass`, or notes why it does not run; `image` is what it hooks, and replaced where it says so.
    fn run_hook(
        &mut self,
        stage: Stage,
        file: usize,
        pass: &HookPass,
        image: &mut Image,
    ) -> Result<(), ShaderError> {
        let scope = Scope { builder: self, file, stage, hooked: *image };
        if let Some(reason) = scope.reason_to_skip(pass) {
            self.skip(pass, reason);
            return Ok(());
        }
        // libplacebo's rule: both names of the same stage.
        let save = pass.save.as_deref().unwrap_or("HOOKED");
        let is_main = matches!(stage, Stage::Main | Stage::MainPresub) && save == "MAIN";
        let overwrites = save == "HOOKED" || save == stage.name() || is_main;

        let mut hooked = *image;
        let is_aligned = pass.offset == Offset::Align && overwrites;
        if is_aligned {
            let [x, y] = self.reference_in(hooked.size);
            hooked.shift = [hooked.offset[0] - x, hooked.offset[1] - y];
        }
        let made = self.user_pass(file, stage, pass, hooked)?;
        if !overwrites {
            self.saved[file].insert(save.to_owned(), made);
            return Ok(());
        }
        if made.size != hooked.size && !stage.is_resizable() {
            return Err(pass.place.error(format!(
                "{} cannot be resized: {} would become {}",
                stage.name(),
                hooked.size,
                made.size
            )));
        }
        let grown = |axis: fn(Size) -> usize| axis(made.size) as f32 / axis(hooked.size) as f32;
        let (x, y) = (grown(|s| s.width), grown(|s| s.height));
        let offset = match pass.offset {
            Offset::Align => self.reference_in(made.size),
            Offset::By(right, down) => [hooked.offset[0] * x + right, hooked.offset[1] * y + down],
            Offset::None => [hooked.offset[0] * x, hooked.offset[1] * y],
        };
        *image = Image { offset, ..made };
        self.named.insert(stage.name(), *image);
        self.forget_saved(stage.name());
        if stage == Stage::Luma {
            self.reference_offset = image.offset;
        }
        Ok(())
    }

    /// What stages make goes before what files saved under that name.
    fn forget_saved(&mut self, name: &str) {
        for saved in &mut self.saved {
            saved.remove(name);
        }
    }

    /// Luma's offset in pixels of a texture of `size`.
    fn reference_in(&self, size: Size) -> [f32; 2] {
        let Some(luma) = self.sizes.get(Stage::Luma.name()) else { return [0.0; 2] };
        let [x, y] = self.reference_offset;
        [x * size.width as f32 / luma.width as f32, y * size.height as f32 / luma.height as f32]
    }

    /// Adds `pass` with its texts and textures.
    fn user_pass(
        &mut self,
        file: usize,
        stage: Stage,
        pass: &HookPass,
        hooked: Image,
    ) -> Result<Image, ShaderError> {
        let device = self.request.device;
        let scope = Scope { builder: self, file, stage, hooked };
        let size = scope.result_size(pass)?;
        let components = pass.components.unwrap_or(hooked.components);
        let (work, threads) = work(pass, size);
        if work != Work::Draw && !device.has_compute {
            let message = "compute shaders need OpenGL 4.3 or OpenGL ES 3.1, which is not here";
            return Err(pass.place.error(message));
        }
        let invocations = threads.0.saturating_mul(threads.1);
        if work != Work::Draw && invocations > device.max_invocations {
            return Err(pass.place.error(format!(
                "{}x{} invocations in a group; here at most {} are possible",
                threads.0, threads.1, device.max_invocations
            )));
        }
        let (bounds, reads, images) = scope.bound(pass, size);
        if reads.len() > device.max_samplers {
            let most = device.max_samplers;
            let message =
                format!("{} textures are bound; here at most {most} are possible", reads.len());
            return Err(pass.place.error(message));
        }
        let params = &self.request.files[file].params;
        let params: Vec<_> = params.iter().zip(self.values[file].iter().copied()).collect();
        let dynamic = |(param, value): &(&super::super::Param, f64)| match param.kind {
            ParamKind::Dynamic(number) => Some((param.name.clone(), uniform(number, *value))),
            _ => None,
        };
        let dynamic: Vec<_> = params.iter().filter_map(dynamic).collect();
        let format = self.float_format(components, work != Work::Draw);
        let text = Text {
            device,
            binds: &bounds,
            params: &params,
            size,
            components,
            outputs: 1,
            work,
            threads,
            format,
            globals: self.globals(hooked),
            body: (&pass.body, pass.body_line),
        };
        let mut uniforms = text.uniforms();
        uniforms.extend(dynamic);
        let is_timed = !images.is_empty()
            || words(&pass.body).any(|(_, word)| matches!(word, "frame" | "random"));
        let new = Pass {
            name: pass.name.clone(),
            place: Some(pass.place.clone()),
            text: text.write(),
            reads,
            images,
            writes: vec![],
            size,
            work,
            uniforms,
            is_timed,
        };
        self.add(new, components)
    }

    fn globals(&self, hooked: Image) -> [[f32; 2]; 3] {
        let pixels = |size: Size| [size.width as f32, size.height as f32];
        let Self { request, .. } = self;
        [pixels(request.input.size), pixels(request.output.size), hooked.offset]
    }
}

fn work(pass: &HookPass, size: Size) -> (Work, (u32, u32)) {
    let Some(Compute { block, threads }) = pass.compute else { return (Work::Draw, (1, 1)) };
    let groups = |px: usize, side: u32| (px as u32).div_ceil(side);
    let groups = (groups(size.width, block.0), groups(size.height, block.1));
    (Work::Dispatch { groups }, threads)
}

const fn uniform(number: Number, value: f64) -> Value {
    match number {
        Number::Float => Value::Float(value as f32),
        Number::Int => Value::Int(value as i32),
        Number::Uint => Value::Uint(value as u32),
    }
}

impl Scope<'_, '_> {
    /// Why `pass` does not run, if it does not.
    fn reason_to_skip(&self, pass: &HookPass) -> Option<String> {
        if let Some(when) = &pass.when {
            match when.evaluate(self) {
                Ok(0.0) => return Some("WHEN is not met".into()),
                Ok(_) => {}
                Err(NoValue::Unknown(name)) => {
                    return Some(format!("WHEN asks for {name}, which is not there"));
                }
                Err(e) => return Some(format!("WHEN: {e}")),
            }
        }
        let missing = pass.binds.iter().find(|name| self.find(name).is_none())?;
        Some(format!("there is no texture {missing}"))
    }

    fn result_size(&self, pass: &HookPass) -> Result<Size, ShaderError> {
        let most = self.builder.request.device.max_side;
        let side = |what: &str, expression: &Option<Expression>, own: usize| {
            let Some(expression) = expression else { return Ok(own) };
            let value = expression.evaluate(self);
            let value =
                value.map_err(|e| pass.place.error(format!("{what} of the result: {e}")))?;
            let px = value.round();
            if px >= 1.0 && px <= most as f32 {
                return Ok(px as usize);
            }
            Err(pass
                .place
                .error(format!("{what} of the result is {px} px; 1 to {most} are possible")))
        };
        let width = side("WIDTH", &pass.width, self.hooked.size.width)?;
        let height = side("HEIGHT", &pass.height, self.hooked.size.height)?;
        Ok(Size::new(width, height))
    }

    /// Everything that `pass` reads, in the order of samplers and of images.
    fn bound(&self, pass: &HookPass, result: Size) -> (Vec<Bound>, Vec<Sampler>, Vec<Texture>) {
        let (mut bounds, mut reads, mut images) = (Vec::<Bound>::new(), vec![], vec![]);
        let own = ["HOOKED", self.stage.name()];
        for name in &pass.binds {
            if bounds.iter().any(|bound| bound.names.contains(name)) {
                continue;
            }
            match self.find(name) {
                Some(Thing::Picture(image)) => {
                    let is_own = own.contains(&name.as_str());
                    let names =
                        if is_own { own.map(Into::into).into() } else { vec![name.clone()] };
                    let Image { texture, size, multiplier, shift, .. } = image;
                    let is_linear = size != result
                        || shift != [0.0; 2]
                        || pass.compute.is_some()
                        || !reads_whole_texels(&pass.body, &names);
                    reads.push(Sampler { texture, is_linear, border: Border::Clamp });
                    let kind = BoundKind::Picture { size, multiplier, shift };
                    bounds.push(Bound { names, kind });
                }
                Some(Thing::Static(index)) => {
                    let known = &self.builder.statics[index];
                    let dimensions = known.size.len();
                    let texture = Texture::Static(index);
                    let kind = if known.is_storage {
                        images.push(texture);
                        BoundKind::Storage(known.format, dimensions)
                    } else {
                        let (is_linear, border) = (known.is_linear, known.border);
                        reads.push(Sampler { texture, is_linear, border });
                        BoundKind::Bare(dimensions)
                    };
                    bounds.push(Bound { names: vec![name.clone()], kind });
                }
                None => {}
            }
        }
        (bounds, reads, images)
    }

    /// The texture that `name` stands for.
    fn find(&self, name: &str) -> Option<Thing> {
        let builder = self.builder;
        if name == "HOOKED" || name == self.stage.name() {
            return Some(Thing::Picture(self.hooked));
        }
        if let Some(index) = builder.file_textures[self.file].get(name) {
            return Some(Thing::Static(*index));
        }
        if name == PREVIOUS {
            let image = Image { texture: Texture::Previous, ..self.hooked };
            let is_last = self.hooked.size == builder.request.output.size;
            return is_last.then_some(Thing::Picture(image));
        }
        let saved = builder.saved[self.file].get(name);
        saved.or_else(|| builder.named.get(name)).copied().map(Thing::Picture)
    }
}

impl Names for Scope<'_, '_> {
    fn size(&self, name: &str, axis: Axis) -> Option<f32> {
        let builder = self.builder;
        let size = match name {
            "OUTPUT" => builder.request.output.size,
            "NATIVE_CROPPED" => builder.request.input.size,
            _ => match self.find(name) {
                Some(Thing::Picture(image)) => image.size,
                Some(Thing::Static(index)) => {
                    let size = &builder.statics[index].size;
                    let side = |i: usize| size.get(i).map_or(1, |&px| px as usize);
                    Size::new(side(0), side(1))
                }
                None => *builder.sizes.get(name)?,
            },
        };
        Some(if axis == Axis::Width { size.width } else { size.height } as f32)
    }

    fn value(&self, name: &str) -> Option<f32> {
        let file = &self.builder.request.files[self.file];
        let values = &self.builder.values[self.file];
        let set = file.params.iter().zip(values).find(|(param, _)| param.name == name);
        let member = || {
            let mut members = file.params.iter().map(|param| &param.members);
            members.find_map(|members| members.iter().position(|member| member == name))
        };
        set.map(|(_, value)| *value as f32).or_else(|| member().map(|value| value as f32))
    }
}
