//! What is installed.

/// Every model that `models/` has a card for.
pub const MODELS: [&str; 10] = [
    "anime4k-m",
    "anime4k-vl",
    "animevideov3-x2",
    "animevideov3-x3",
    "animevideov3-x4",
    "cunet-x2",
    "realcugan-se-x2-conservative",
    "upconv7-x2",
    "upconv7-x2-denoise1",
    "x4plus-anime",
];
