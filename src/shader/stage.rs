//! The points of a frame's way at which passes may hook in, as mpv names them.

/// A point of a frame's way; in the order in which they fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The source's R'G'B' planes, as coded.
    Rgb,
    /// The source's luma plane, as coded.
    Luma,
    /// The source's chroma planes, both in one texture, as coded.
    Chroma,
    /// Chroma at luma's size.
    ChromaScaled,
    /// All planes together, as coded.
    Native,
    /// R'G'B' before [`Stage::Main`].
    MainPresub,
    /// R'G'B', 0..1.
    Main,
    /// Before the main scaler.
    Prekernel,
    /// After the main scaler: output size.
    Postkernel,
    /// Output size.
    Scaled,
    /// Output size, before [`Stage::Output`].
    Preoutput,
    /// Output size, last.
    Output,
}

impl Stage {
    /// Every stage, in the order in which they fire.
    pub const ALL: [Self; 12] = [
        Self::Rgb,
        Self::Luma,
        Self::Chroma,
        Self::ChromaScaled,
        Self::Native,
        Self::MainPresub,
        Self::Main,
        Self::Prekernel,
        Self::Postkernel,
        Self::Scaled,
        Self::Preoutput,
        Self::Output,
    ];

    /// Its name in shader files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rgb => "RGB",
            Self::Luma => "LUMA",
            Self::Chroma => "CHROMA",
            Self::ChromaScaled => "CHROMA_SCALED",
            Self::Native => "NATIVE",
            Self::MainPresub => "MAINPRESUB",
            Self::Main => "MAIN",
            Self::Prekernel => "PREKERNEL",
            Self::Postkernel => "POSTKERNEL",
            Self::Scaled => "SCALED",
            Self::Preoutput => "PREOUTPUT",
            Self::Output => "OUTPUT",
        }
    }

    /// The stage of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// Whether a pass may change the texture's size.
    pub const fn is_resizable(self) -> bool {
        matches!(
            self,
            Self::Rgb | Self::Luma | Self::Chroma | Self::Native | Self::MainPresub | Self::Main
        )
    }
}

/// Why a stage that mpv knows never fires here; `None` for a name that mpv does not know either.
pub fn never(name: &str) -> Option<&'static str> {
    match name {
        "LINEAR" | "SIGMOID" => Some("scaling is in gamma light"),
        "ALPHA" | "ALPHA_SCALED" => Some("no format has a plane of alpha beside YUV"),
        "XYZ" => Some("no format is XYZ"),
        _ => None,
    }
}
