//! Pixel formats as data: one table, and no code for any single format.

use super::color::{Code, ColorSpec};
use super::geometry::Size;
use super::picture::ColorModel;

/// Where one component's samples lie; counted in samples, not bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// The plane that holds them.
    pub plane: usize,
    /// Samples before the first in a row.
    pub offset: usize,
    /// Samples from one to the next.
    pub step: usize,
}

/// What a format's components mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Y', Cb, Cr.
    Yuv,
    /// R', G', B'.
    Rgb,
    /// Y' alone.
    Gray,
}

/// Everything there is to know about a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatInfo {
    /// GStreamer's name.
    pub name: &'static str,
    /// What the components mean.
    pub kind: Kind,
    /// Significant bits of a sample.
    pub depth: u32,
    /// Unused bits below them.
    pub shift: u32,
    /// Bytes of a sample, 1 or 2 (little endian).
    pub sample_bytes: usize,
    /// Chroma has `1 << .0` times fewer columns and `1 << .1` times fewer rows.
    pub subsampling: (u32, u32),
    /// Number of planes.
    pub planes: usize,
    /// Y' Cb Cr, R' G' B', or Y'.
    pub components: &'static [Component],
    /// Alpha.
    pub alpha: Option<Component>,
    /// Samples that mean nothing, the x of RGBx.
    pub padding: Option<Component>,
}

/// `plane:offset/step`.
const fn at(plane: usize, offset: usize, step: usize) -> Component {
    Component { plane, offset, step }
}

const PLANAR: &[Component] = &[at(0, 0, 1), at(1, 0, 1), at(2, 0, 1)];
const PLANAR_YVU: &[Component] = &[at(0, 0, 1), at(2, 0, 1), at(1, 0, 1)];
const PLANAR_GBR: &[Component] = &[at(2, 0, 1), at(0, 0, 1), at(1, 0, 1)];
const SEMI_UV: &[Component] = &[at(0, 0, 1), at(1, 0, 2), at(1, 1, 2)];
const SEMI_VU: &[Component] = &[at(0, 0, 1), at(1, 1, 2), at(1, 0, 2)];
const ONE: &[Component] = &[at(0, 0, 1)];
const RGB3: &[Component] = &[at(0, 0, 3), at(0, 1, 3), at(0, 2, 3)];
const BGR3: &[Component] = &[at(0, 2, 3), at(0, 1, 3), at(0, 0, 3)];
const RGB4: &[Component] = &[at(0, 0, 4), at(0, 1, 4), at(0, 2, 4)];
const BGR4: &[Component] = &[at(0, 2, 4), at(0, 1, 4), at(0, 0, 4)];
const X_RGB4: &[Component] = &[at(0, 1, 4), at(0, 2, 4), at(0, 3, 4)];
const X_BGR4: &[Component] = &[at(0, 3, 4), at(0, 2, 4), at(0, 1, 4)];
const FIRST4: Component = at(0, 0, 4);
const LAST4: Component = at(0, 3, 4);

/// A format with neither subsampling, alpha, padding nor unused low bits.
const fn plain(
    kind: Kind,
    depth: u32,
    planes: usize,
    components: &'static [Component],
) -> FormatInfo {
    FormatInfo {
        name: "",
        kind,
        depth,
        shift: 0,
        sample_bytes: depth.div_ceil(8) as usize,
        subsampling: (0, 0),
        planes,
        components,
        alpha: None,
        padding: None,
    }
}

const fn yuv(
    depth: u32,
    subsampling: (u32, u32),
    planes: usize,
    components: &'static [Component],
) -> FormatInfo {
    FormatInfo { subsampling, ..plain(Kind::Yuv, depth, planes, components) }
}

const fn gray(depth: u32) -> FormatInfo {
    plain(Kind::Gray, depth, 1, ONE)
}

const fn gbr(depth: u32) -> FormatInfo {
    plain(Kind::Rgb, depth, 3, PLANAR_GBR)
}

const fn packed(depth: u32, components: &'static [Component]) -> FormatInfo {
    plain(Kind::Rgb, depth, 1, components)
}

const fn with_alpha(info: FormatInfo, alpha: Component) -> FormatInfo {
    FormatInfo { alpha: Some(alpha), ..info }
}

const fn with_padding(info: FormatInfo, padding: Component) -> FormatInfo {
    FormatInfo { padding: Some(padding), ..info }
}

/// Declares the enum, the list of its variants and the table from one list.
macro_rules! formats {
    ($($variant:ident $name:literal = $info:expr;)*) => {
        /// A pixel format that frames may have, named as GStreamer names it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum PixelFormat {
            $(#[doc = concat!("GStreamer's `", $name, "`.")] $variant,)*
        }

        impl PixelFormat {
            /// Every format.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }

        static TABLE: &[FormatInfo] = &[$(FormatInfo { name: $name, ..$info }),*];
    };
}

formats! {
    I420 "I420" = yuv(8, (1, 1), 3, PLANAR);
    Yv12 "YV12" = yuv(8, (1, 1), 3, PLANAR_YVU);
    Nv12 "NV12" = yuv(8, (1, 1), 2, SEMI_UV);
    Nv21 "NV21" = yuv(8, (1, 1), 2, SEMI_VU);
    Y42b "Y42B" = yuv(8, (1, 0), 3, PLANAR);
    Y444 "Y444" = yuv(8, (0, 0), 3, PLANAR);
    I420_10le "I420_10LE" = yuv(10, (1, 1), 3, PLANAR);
    I422_10le "I422_10LE" = yuv(10, (1, 0), 3, PLANAR);
    Y444_10le "Y444_10LE" = yuv(10, (0, 0), 3, PLANAR);
    P010_10le "P010_10LE" = FormatInfo { shift: 6, ..yuv(10, (1, 1), 2, SEMI_UV) };
    I420_12le "I420_12LE" = yuv(12, (1, 1), 3, PLANAR);
    Y444_12le "Y444_12LE" = yuv(12, (0, 0), 3, PLANAR);
    Y444_16le "Y444_16LE" = yuv(16, (0, 0), 3, PLANAR);
    Gray8 "GRAY8" = gray(8);
    Gray16le "GRAY16_LE" = gray(16);
    Rgb "RGB" = packed(8, RGB3);
    Bgr "BGR" = packed(8, BGR3);
    Rgbx "RGBx" = with_padding(packed(8, RGB4), LAST4);
    Bgrx "BGRx" = with_padding(packed(8, BGR4), LAST4);
    Xrgb "xRGB" = with_padding(packed(8, X_RGB4), FIRST4);
    Xbgr "xBGR" = with_padding(packed(8, X_BGR4), FIRST4);
    Rgba "RGBA" = with_alpha(packed(8, RGB4), LAST4);
    Bgra "BGRA" = with_alpha(packed(8, BGR4), LAST4);
    Argb "ARGB" = with_alpha(packed(8, X_RGB4), FIRST4);
    Abgr "ABGR" = with_alpha(packed(8, X_BGR4), FIRST4);
    Gbr "GBR" = gbr(8);
    Gbr10le "GBR_10LE" = gbr(10);
    Gbr12le "GBR_12LE" = gbr(12);
    Gbra "GBRA" = FormatInfo { planes: 4, ..with_alpha(gbr(8), at(3, 0, 1)) };
    Rgba64le "RGBA64_LE" = with_alpha(packed(16, RGB4), LAST4);
}

impl PixelFormat {
    /// GStreamer's name.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// The format that GStreamer calls `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// Its line of the table.
    pub fn info(self) -> &'static FormatInfo {
        &TABLE[self as usize]
    }

    /// Samples of plane `plane` in a frame of `size`: columns (interleaved components counted each) and rows.
    ///
    /// Chroma of odd sizes is rounded up. 0x0 for a plane that the format does not have.
    pub fn plane_size(self, plane: usize, size: Size) -> Size {
        let info = self.info();
        // Planes hold either full-size components or chroma, never both, so any of them tells.
        let all = info.components.iter().chain(&info.alpha).enumerate();
        match all.clone().find(|(_, c)| c.plane == plane) {
            Some((index, component)) => {
                let size = info.component_size(index, size);
                Size::new(size.width * component.step, size.height)
            }
            None => Size::default(),
        }
    }

    /// The format that a picture of this one loses nothing in, and least of what is worked out further: the same components,
    /// with the finest samples there are.
    pub fn finest(self) -> Self {
        let info = self.info();
        let alike = Self::ALL.iter().copied().filter(|other| {
            let other = other.info();
            (other.kind, other.subsampling, other.alpha.is_some())
                == (info.kind, info.subsampling, info.alpha.is_some())
        });
        alike.fold(
            self,
            |best, other| if other.info().depth > best.info().depth { other } else { best },
        )
    }

    /// Texels of plane `plane` in a frame of `size`: interleaved components are counted together.
    pub fn texels(self, plane: usize, size: Size) -> Size {
        let samples = self.plane_size(plane, size);
        Size::new(samples.width / self.info().step(plane), samples.height)
    }

    /// Bytes of a row of plane `plane` in a frame of `size`, padding at its end not counted.
    pub fn row_bytes(self, plane: usize, size: Size) -> usize {
        self.plane_size(plane, size).width * self.info().sample_bytes
    }
}

impl FormatInfo {
    /// Samples that lie side by side in plane `plane`, interleaved; 1 for a plane that the format does not have.
    pub fn step(&self, plane: usize) -> usize {
        let mut all = self.components.iter().chain(&self.alpha);
        all.find(|component| component.plane == plane).map_or(1, |component| component.step)
    }

    /// Whether component `index` has fewer samples than the frame has pixels.
    pub fn is_subsampled(&self, index: usize) -> bool {
        self.kind == Kind::Yuv && matches!(index, 1 | 2) && self.subsampling != (0, 0)
    }

    /// Samples of component `index` in a frame of `size`.
    pub fn component_size(&self, index: usize, size: Size) -> Size {
        if !self.is_subsampled(index) {
            return size;
        }
        let (x, y) = self.subsampling;
        Size::new(size.width.div_ceil(1 << x), size.height.div_ceil(1 << y))
    }

    /// What a picture of the components would be.
    pub fn model(&self, spec: &ColorSpec) -> ColorModel {
        match self.kind {
            Kind::Yuv => ColorModel::Yuv(spec.matrix),
            Kind::Rgb => ColorModel::Rgb,
            Kind::Gray => ColorModel::Luma,
        }
    }

    /// The codes of component `index`.
    pub fn code(&self, index: usize, spec: &ColorSpec) -> Code {
        match (self.kind, index) {
            (Kind::Yuv, 1 | 2) => spec.range.chroma(self.depth),
            _ => spec.range.luma(self.depth),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_formats() {
        for &format in PixelFormat::ALL {
            assert_eq!(PixelFormat::from_name(format.name()), Some(format));
        }
        assert_eq!(PixelFormat::ALL.len(), 30);
        assert_eq!(PixelFormat::from_name("AYUV"), None);
    }

    #[test]
    fn every_sample_of_a_plane_has_one_owner() {
        for &format in PixelFormat::ALL {
            let info = format.info();
            let parts = info.components.iter().chain(&info.alpha).chain(&info.padding);
            let mut seen: Vec<_> = parts.clone().map(|c| (c.plane, c.offset)).collect();
            seen.sort_unstable();
            let wanted: Vec<_> = (0..info.planes)
                .flat_map(|p| {
                    let step = parts.clone().find(|c| c.plane == p).map_or(0, |c| c.step);
                    (0..step).map(move |o| (p, o))
                })
                .collect();
            assert_eq!(seen, wanted, "{}", info.name);
        }
    }

    #[test]
    fn finest_is_of_the_same_kind() {
        let finest = |format: PixelFormat| format.finest().name();
        assert_eq!(finest(PixelFormat::I420), "I420_12LE");
        assert_eq!(finest(PixelFormat::P010_10le), "I420_12LE");
        assert_eq!(finest(PixelFormat::Y42b), "I422_10LE");
        assert_eq!(finest(PixelFormat::Gray8), "GRAY16_LE");
        assert_eq!(finest(PixelFormat::Bgra), "RGBA64_LE");
        assert_eq!(finest(PixelFormat::Rgb), "GBR_12LE");
        for &format in PixelFormat::ALL {
            assert_eq!(format.finest().finest(), format.finest());
        }
    }

    #[test]
    fn chroma_of_odd_sizes_is_rounded_up() {
        let size = Size::new(17, 9);
        assert_eq!(PixelFormat::Nv12.plane_size(1, size), Size::new(18, 5));
        assert_eq!(PixelFormat::Y42b.plane_size(2, size), Size::new(9, 9));
        assert_eq!(PixelFormat::P010_10le.row_bytes(1, size), 36);
        assert_eq!(PixelFormat::Rgb.row_bytes(0, size), 51);
        assert_eq!(PixelFormat::I420.plane_size(3, size), Size::default());
    }
}
