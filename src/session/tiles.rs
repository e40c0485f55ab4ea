//! How large a tile may be.

use crate::engine::{self, Contract, EngineError, EngineOptions, Halo, Provider};
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

/// On a processor larger tiles gain nothing: the halo is a small part of them already.
const LARGEST_AREA: usize = 1024 * 1024;

/// Memory of a machine that does not say how much it has.
const UNKNOWN_FREE: u64 = 2 << 30;

/// A runtime's workspace beside the live tensors that the graph shows.
const RUNTIME_OVERHEAD: usize = 2;

/// What tiles are to be.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    /// What a run may take.
    pub budget: Budget,
    /// Formats of tiles that go in and come out as raw samples.
    pub raw: Option<(PixelFormat, PixelFormat)>,
    /// Halvings after memory ran out.
    pub shrink: u32,
}

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
    ask: Ask,
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
    if let Some((input, output)) = ask.raw {
        request = RawTiles::request(request, contract.input.channels, input, output);
    }
    let halo = request.halo;
    let whole = frame.grown(border);
    request.max_tile = match config.tile_size {
        Some(side) => Some(Size::new(side, side)),
        None => chosen_tile(whole, halo, contract, ask.budget),
    };
    if ask.shrink > 0 {
        let from = request.max_tile.unwrap_or(whole);
        request.max_tile = Some(halved(from, ask.shrink));
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
fn chosen_tile(whole: Size, halo: usize, contract: &Contract, budget: Budget) -> Option<Size> {
    let affordable = budget.bytes as usize / (contract.bytes_per_px.max(1) * RUNTIME_OVERHEAD);
    let largest =
        if contract.halo == Halo::Open { affordable } else { affordable.min(budget.area) };
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

/// The memory that networks run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// The processor's, where the pictures lie too.
    Host,
    /// A device's own.
    Device {
        /// Bytes of it that nobody uses; `None` where the device does not say.
        free: Option<u64>,
    },
}

impl Room {
    /// Where `provider` runs.
    pub fn of(provider: Provider, options: &EngineOptions) -> Self {
        if provider.has_own_memory() {
            Self::Device { free: engine::free_device_memory(provider, options) }
        } else {
            Self::Host
        }
    }

    /// Bytes of it that pictures take.
    fn pictures(self, input: &VideoSpec, output: &VideoSpec) -> u64 {
        match self {
            Self::Host => picture_bytes(input, output),
            Self::Device { .. } => 0,
        }
    }
}

/// What one run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes for the network.
    pub bytes: u64,
    /// Largest tile that pays, in pixels.
    pub area: usize,
}

impl Budget {
    /// The limit less the pictures that lie in the same memory, or a share of what is free: a quarter of a machine's memory, which
    /// others want too, and half of a device's.
    pub fn new(room: Room, limit: Option<u64>, input: &VideoSpec, output: &VideoSpec) -> Self {
        let pictures = room.pictures(input, output);
        let bytes = match (limit, room) {
            (Some(limit), _) => limit.saturating_sub(pictures),
            (None, Room::Host) => free_memory().saturating_sub(pictures) / 4,
            (None, Room::Device { free }) => free.unwrap_or(UNKNOWN_FREE) / 2,
        };
        let area = if room == Room::Host { LARGEST_AREA } else { usize::MAX };
        Self { bytes: bytes.max(LEAST_BUDGET), area }
    }

    /// What of it a run may take for each tile of a batch.
    ///
    /// Where a run cannot be stopped, tiles are of at most 256x256 px: one that was left behind keeps the processor from everybody
    /// else until it ends. A network that needs the whole frame gets it all the same.
    pub fn share(self, can_be_stopped: bool, batch: usize) -> Self {
        let area = if can_be_stopped { self.area } else { self.area.min(256 * 256) };
        Self { bytes: self.bytes / batch as u64, area }
    }
}

/// What the user must hear where `limit` cannot be kept.
pub fn shortfall(
    room: Room,
    limit: Option<u64>,
    input: &VideoSpec,
    output: &VideoSpec,
) -> Option<Notice> {
    let least = room.pictures(input, output) + LEAST_BUDGET;
    let limit = limit.filter(|&limit| limit < least)?;
    let (limit, least) = (limit >> 20, least.div_ceil(1 << 20));
    Some(Notice(format!(
        "memory-limit of {limit} MiB cannot be kept: pictures of this size take {least} MiB with the smallest tiles"
    )))
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

    const BUDGET: Budget = Budget { bytes: 1 << 30, area: LARGEST_AREA };
    const ASK: Ask = Ask { budget: BUDGET, raw: None, shrink: 0 };

    #[test]
    fn a_border_is_whole_output_pixels() {
        for (num, den, border) in [(2, 1, 4), (3, 2, 4), (4, 3, 6)] {
            let scale = Ratio::new(num, den).unwrap();
            let contract = Contract { scale, ..contract(None) };
            let frame = Size::new(50, 31);
            let plan = plan(frame, &contract, &Config::default(), ASK, &mut Vec::new()).plan;
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
            let ask = Ask { shrink, ..ASK };
            let plan = plan(frame, &contract, &config, ask, &mut Vec::new()).plan;
            let area = plan.tile_size().area();
            let is_least = plan.x.tile == plan.x.shortest && plan.y.tile == plan.y.shortest;
            assert!(area < last || is_least, "{shrink}: {area}");
            last = area;
        }
    }

    #[test]
    fn a_device_takes_the_whole_frame_where_its_memory_allows() {
        let contract = Contract { bytes_per_px: 1000, ..contract(None) };
        let frame = Size::new(1920, 1080);
        let tiles = |bytes, area| {
            let budget = Budget { bytes, area };
            plan(frame, &contract, &Config::default(), Ask { budget, ..ASK }, &mut Vec::new())
                .plan
                .len()
        };
        assert_eq!(tiles(8 << 30, usize::MAX), 1);
        assert!(tiles(8 << 30, LARGEST_AREA) > 1);
        let (a, b) = (tiles(1 << 30, usize::MAX), tiles(512 << 20, usize::MAX));
        assert!(1 < a && a < b, "{a} {b}");
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
        let on_host = |limit| shortfall(Room::Host, limit, &from, &to);
        assert_eq!(on_host(None), None);
        assert_eq!(on_host(Some(2 << 30)), None);
        let notice = on_host(Some(512 << 20)).unwrap();
        assert!(notice.0.contains("512 MiB"), "{notice:?}");
        // The pictures are not in a device's memory.
        assert_eq!(shortfall(Room::Device { free: None }, Some(512 << 20), &from, &to), None);
    }
}
