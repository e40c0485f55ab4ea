//! How large a tile may be.

use crate::engine::{Contract, EngineError, Halo};
use crate::upscale::PixelFormat;
use crate::upscale::blend::Blend;
use crate::upscale::geometry::align_up;
use crate::upscale::raw::RawTiles;
use crate::upscale::tile::{TilePlan, TileRequest};
use crate::upscale::{Size, VideoSpec};

use super::config::{Config, Notice};

/// What lies beyond the frame's border.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Border {
    /// 4 px of the frame's own mirror image, beyond that the network's own padding.
    #[default]
    Mirror,
    /// The network's own padding alone.
    Model,
}

impl Border {
    /// Its width in input pixels. 4 is enough: 8 and 18 measured the same.
    pub const fn px(self) -> usize {
        match self {
            Self::Mirror => 4,
            Self::Model => 0,
        }
    }
}

/// Larger tiles gain nothing: the halo is a small part of them already.
const LARGEST_AREA: usize = 1024 * 1024;

/// Memory of a machine that does not say how much it has.
const UNKNOWN_FREE: u64 = 2 << 30;

/// A runtime's workspace beside the live tensors that the graph shows.
const RUNTIME_OVERHEAD: usize = 2;

/// A plan with what it means for blending.
pub struct Planned {
    /// Where the tiles lie.
    pub plan: TilePlan,
    /// Whether neighbours are to be cross-faded.
    pub fade: bool,
}

/// Plans the tiles of a `frame` for `budget` bytes; `shrink` halvings after memory ran out. `raw` are the formats of tiles that go
/// in and come out as raw samples.
pub fn plan(
    frame: Size,
    contract: &Contract,
    config: &Config,
    (budget, raw): (u64, Option<(PixelFormat, PixelFormat)>),
    shrink: u32,
    notices: &mut Vec<Notice>,
) -> Planned {
    // Whole output pixels, so that a network of 4/3 does not shift the picture.
    let border = align_up(config.border.px(), contract.scale.den());
    let halo = config.overlap.unwrap_or(contract.halo.px());
    let mut request = TileRequest {
        max_tile: None,
        halo,
        border,
        alignment: contract.alignment,
        min_size: contract.min_size,
        fixed_width: contract.input.width,
        fixed_height: contract.input.height,
        scale: contract.scale,
    };
    if let Some((input, output)) = raw {
        request = RawTiles::request(request, contract.input.channels, input, output);
    }
    let halo = request.halo;
    let whole = frame.grown(border);
    request.max_tile = match config.tile_size {
        Some(side) => Some(Size::new(side, side)),
        None => chosen_tile(whole, halo, contract, budget),
    };
    if shrink > 0 {
        let from = request.max_tile.unwrap_or(whole);
        request.max_tile = Some(halved(from, shrink));
    }
    let plan = TilePlan::new(frame, &request);
    notices.extend(doubts(&plan, contract, config, halo).map(Notice));
    let exact = contract.halo.is_exact() && plan.x.halo.min(plan.y.halo) >= contract.halo.px();
    Planned { fade: config.blend == Blend::Feather && !exact && plan.len() > 1, plan }
}

/// What the user must hear about a plan.
fn doubts(
    plan: &TilePlan,
    contract: &Contract,
    config: &Config,
    halo: usize,
) -> impl Iterator<Item = String> {
    let tile = plan.tile_size();
    let is_fixed = contract.input.width.or(contract.input.height).is_some();
    let raised = config
        .tile_size
        .filter(|&side| plan.len() > 1 && tile.width.max(tile.height) > side)
        .map(|side| match is_fixed {
            true => format!("tile-size {side} is not used: the network fixes tiles of {tile}"),
            false => {
                format!("tile-size {side} is too small for a halo of {halo} px: tiles are {tile}")
            }
        });
    let open = (contract.halo == Halo::Open && plan.len() > 1).then(|| {
        format!("the network looks at the whole frame, but runs in {} tiles of {tile}: tiles may differ in tone", plan.len())
    });
    let narrow = (plan.len() > 1 && plan.x.halo.min(plan.y.halo) < halo).then(|| {
        format!("the network's fixed size of {tile} leaves room for a halo of {} px where {halo} are needed", plan.x.halo)
    });
    raised.into_iter().chain(open).chain(narrow)
}

/// The tile that infers the fewest pixels within `budget` bytes; `None` is the whole frame.
fn chosen_tile(whole: Size, halo: usize, contract: &Contract, budget: u64) -> Option<Size> {
    let affordable = budget as usize / (contract.bytes_per_px.max(1) * RUNTIME_OVERHEAD);
    let largest =
        if contract.halo == Halo::Open { affordable } else { affordable.min(LARGEST_AREA) };
    if whole.area() <= largest {
        return None;
    }
    let side = |len: usize, n: usize| {
        if n == 1 { len } else { (len - 2 * halo.min(len / 2)).div_ceil(n) + 2 * halo }
    };
    let splits = (1..=64).flat_map(|nx| (1..=64).map(move |ny| (nx, ny)));
    splits
        .map(|(nx, ny)| (nx * ny, Size::new(side(whole.width, nx), side(whole.height, ny))))
        .filter(|(_, tile)| tile.area() <= largest)
        .min_by_key(|(count, tile)| count * tile.area())
        .map(|(_, tile)| tile)
        // Nothing fits: the smallest tile there is.
        .or(Some(Size::new(1, 1)))
}

/// `size` with its longer side halved, `times` times.
fn halved(mut size: Size, times: u32) -> Size {
    for _ in 0..times {
        if size.width >= size.height {
            size.width = size.width.div_ceil(2);
        } else {
            size.height = size.height.div_ceil(2);
        }
    }
    size
}

/// Bytes of the pictures that are kept: the decoded frame, the networks' result, and the result at the output's size.
fn picture_bytes(input: &VideoSpec, output: &VideoSpec) -> u64 {
    4 * 3 * (input.size.area() as u64 + 2 * output.size.area() as u64)
}

/// Refuses frames whose pictures alone are more than the machine has: an allocation that fails would end the process.
///
/// # Errors
/// [`EngineError::OutOfMemory`] with both figures.
pub fn check_pictures(input: &VideoSpec, output: &VideoSpec) -> Result<(), EngineError> {
    let (needed, free) = (picture_bytes(input, output), free_memory());
    if needed < free {
        return Ok(());
    }
    Err(EngineError::OutOfMemory(format!(
        "pictures of {} and {} take {} MiB, and {} MiB are free",
        input.size,
        output.size,
        needed >> 20,
        free >> 20
    )))
}

/// A run gets this much, whatever the limit says.
const LEAST_BUDGET: u64 = 32 << 20;

/// Bytes that one run may take: the limit less the pictures that the element keeps, or a share of what is free.
pub fn budget(limit: Option<u64>, input: &VideoSpec, output: &VideoSpec) -> u64 {
    let pictures = picture_bytes(input, output);
    let bytes = match limit {
        Some(limit) => limit.saturating_sub(pictures),
        None => free_memory().saturating_sub(pictures) / 4,
    };
    bytes.max(LEAST_BUDGET)
}

/// What the user must hear where `limit` cannot be kept.
pub fn shortfall(limit: Option<u64>, input: &VideoSpec, output: &VideoSpec) -> Option<Notice> {
    let least = picture_bytes(input, output) + LEAST_BUDGET;
    let limit = limit.filter(|&limit| limit < least)?;
    let (limit, least) = (limit >> 20, least.div_ceil(1 << 20));
    Some(Notice(format!(
        "memory-limit of {limit} MiB cannot be kept: pictures of this size take {least} MiB with the smallest tiles"
    )))
}

/// What of `budget` a run may take for each tile of a batch.
///
/// Where a run cannot be stopped, tiles are of at most 256x256 px: one that was left behind keeps the processor from everybody
/// else until it ends. A network that needs the whole frame gets it all the same.
pub fn share(budget: u64, can_be_stopped: bool, contract: &Contract, batch: usize) -> u64 {
    let share = budget / batch as u64;
    if !can_be_stopped && contract.halo != Halo::Open {
        share.min((256 * 256 * contract.bytes_per_px.max(1) * RUNTIME_OVERHEAD) as u64)
    } else {
        share
    }
}

/// Bytes of memory that are free, as far as the system says.
fn free_memory() -> u64 {
    let from_proc = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find(|l| l.starts_with("MemAvailable:"))?;
        line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    from_proc().unwrap_or(UNKNOWN_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::contract::testing::contract;
    use crate::upscale::Ratio;

    #[test]
    fn a_border_is_whole_output_pixels() {
        for (num, den, border) in [(2, 1, 4), (3, 2, 4), (4, 3, 6)] {
            let scale = Ratio::new(num, den).unwrap();
            let contract = Contract { scale, ..contract(None) };
            let frame = Size::new(50, 31);
            let plan =
                plan(frame, &contract, &Config::default(), (1 << 30, None), 0, &mut Vec::new())
                    .plan;
            assert_eq!(plan.border, border);
            assert!(scale.exactly(plan.border).is_some());
        }
    }

    #[test]
    fn each_halving_makes_tiles_smaller_until_nothing_does() {
        let (contract, mut last) = (contract(None), usize::MAX);
        for shrink in 0..16 {
            let config = Config::default();
            let frame = Size::new(640, 360);
            let plan =
                plan(frame, &contract, &config, (1 << 30, None), shrink, &mut Vec::new()).plan;
            let area = plan.tile_size().area();
            let is_least = plan.x.tile == plan.x.shortest && plan.y.tile == plan.y.shortest;
            assert!(area < last || is_least, "{shrink}: {area}");
            last = area;
        }
    }

    #[test]
    fn a_limit_that_cannot_be_kept_is_said() {
        use crate::upscale::{ChromaSite, ColorSpec, Matrix, PixelFormat, Range};
        let spec = |width, height| VideoSpec {
            format: PixelFormat::I420,
            size: Size::new(width, height),
            color: ColorSpec {
                matrix: Matrix::Bt709,
                range: Range::Limited,
                site: ChromaSite::LEFT,
            },
        };
        let (from, to) = (spec(3840, 2160), spec(7680, 4320));
        assert_eq!(shortfall(None, &from, &to), None);
        assert_eq!(shortfall(Some(2 << 30), &from, &to), None);
        let notice = shortfall(Some(512 << 20), &from, &to).unwrap();
        assert!(notice.0.contains("512 MiB"), "{notice:?}");
    }
}
