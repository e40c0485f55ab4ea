//! What conversion costs: milliseconds of CPU time for whole frames, by format and size, on one thread; from and to memory,
//! and by parts whose floats stay in cache.
//!
//! `cargo bench --bench conversion [WORD]`: formats whose name contains WORD alone.

use std::ops::Range;
use std::time::Duration;

use gstkizuna::upscale::{
    ChromaSite, ColorModel, ColorSpec, Decoder, Encoder, FrameView, FrameViewMut, Matrix, PartRows,
    Picture, PixelFormat, Size, VideoSpec, decode, encode,
};

const SPEC: ColorSpec = ColorSpec {
    matrix: Matrix::Bt709,
    range: gstkizuna::upscale::Range::Limited,
    site: ChromaSite::LEFT,
};
const SIZES: [Size; 3] = [Size::new(640, 360), Size::new(1280, 720), Size::new(1920, 1080)];

fn main() {
    use PixelFormat::{Gbr, Gray8, I420, I420_10le, Nv12, P010_10le, Rgb, Rgba, Y42b, Y444};
    let word = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let formats = [I420, Nv12, P010_10le, Rgb, Rgba, I420_10le, Y42b, Y444, Gbr, Gray8].into_iter();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    println!("ms of CPU time a frame, R'G'B' in float on the other side");
    println!(
        "{:10} {:>10} {:>8} {:>8}   {:>10} {:>8} {:>8}",
        "format", "decode", "whole", "parts", "encode", "whole", "parts"
    );
    for format in formats.filter(|f| f.name().contains(&word)) {
        for size in SIZES {
            let twice = Size::new(2 * size.width, 2 * size.height);
            let (read, written) =
                pool.install(|| (decoding(format, size), encoding(format, twice)));
            println!(
                "{:10} {:>10} {:8.2} {:8.2}   {:>10} {:8.2} {:8.2}",
                format.name(),
                size.to_string(),
                read.0,
                read.1,
                twice.to_string(),
                written.0,
                written.1
            );
        }
    }
}

/// Whole and by parts of 16 rows and 256 columns.
fn decoding(format: PixelFormat, size: Size) -> (f64, f64) {
    let (planes, strides) = memory(format, size);
    let planes: Vec<_> = planes.iter().map(|p| &p[..]).collect();
    let frame = FrameView::new(format, size, &planes, &strides).expect("planes fit");
    let mut picture = Picture::new(ColorModel::Rgb, size);
    let whole = milliseconds(|| decode(&frame, &SPEC, &mut picture));

    let decoder = Decoder::new(&VideoSpec { format, size, color: SPEC }, ColorModel::Rgb);
    let (mut work, mut out) = (Default::default(), vec![0.0; 3 * 16 * 256]);
    let parts = milliseconds(|| {
        for (rows, columns) in parts(size, 0..size.height, 16, 256) {
            let mut out: Vec<_> = out.chunks_mut(16 * 256).collect();
            decoder.part(&frame, rows, columns, &mut work, &mut out);
        }
    });
    (whole, parts)
}

/// Whole and by parts of 32 rows and 512 columns.
fn encoding(format: PixelFormat, size: Size) -> (f64, f64) {
    let mut picture = Picture::new(ColorModel::Rgb, size);
    for (c, plane) in picture.planes.iter_mut().enumerate() {
        let samples = plane.samples_mut().iter_mut().enumerate();
        samples.for_each(|(i, v)| *v = (i * (3 + c) % 1009) as f32 / 1000.0);
    }
    let (mut planes, strides) = memory(format, size);
    let planes = planes.iter_mut().map(|p| &mut p[..]).collect();
    let mut frame = FrameViewMut::new(format, size, planes, &strides).expect("planes fit");
    let whole = milliseconds(|| encode(&picture, &SPEC, &mut frame).expect("sizes agree"));

    let encoder = Encoder::new(&VideoSpec { format, size, color: SPEC }, ColorModel::Rgb);
    let (mut source, mut work) = (Again { picture, first: 0 }, Default::default());
    let parts = milliseconds(|| {
        for band in &mut frame.bands(32) {
            for (rows, columns) in parts(size, band.rows(), 32, 512) {
                source.first = columns.start.saturating_sub(encoder.reach());
                encoder.part(band, rows, columns, &source, &mut work);
            }
        }
    });
    (whole, parts)
}

/// Parts of at most `height` by `width` pixels.
fn parts(
    size: Size,
    rows: Range<usize>,
    height: usize,
    width: usize,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
    let columns = move || (0..size.width).step_by(width).map(move |x| x..size.width.min(x + width));
    let end = rows.end;
    rows.step_by(height).flat_map(move |y| columns().map(move |c| (y..end.min(y + height), c)))
}

/// A corner of a picture, again and again, as if it had just been made.
struct Again {
    picture: Picture,
    first: usize,
}

impl PartRows for Again {
    fn row(&self, plane: usize, y: usize) -> (usize, &[f32]) {
        (self.first, &self.picture.planes[plane].samples()[y % 40 * 520..][..520])
    }
}

/// The planes of a frame, and their strides.
fn memory(format: PixelFormat, size: Size) -> (Vec<Vec<u8>>, Vec<usize>) {
    let planes = 0..format.info().planes;
    let strides: Vec<_> = planes.clone().map(|p| format.row_bytes(p, size)).collect();
    let bytes = |p: usize| strides[p] * format.plane_size(p, size).height;
    let planes = planes.map(|p| (0..bytes(p)).map(|i| (i * 7 % 251) as u8).collect()).collect();
    (planes, strides)
}

/// CPU time of one call: the median of nine groups.
fn milliseconds(mut work: impl FnMut()) -> f64 {
    let mut group = |calls: u32| {
        let start = cpu_time();
        (0..calls).for_each(|_| work());
        (cpu_time() - start) / calls
    };
    let once = group(2);
    let calls = Duration::from_millis(30).div_duration_f64(once.max(Duration::from_micros(1)));
    let mut times: Vec<_> = (0..9).map(|_| group(calls.max(1.0) as u32)).collect();
    times.sort_unstable();
    1e3 * times[times.len() / 2].as_secs_f64()
}

/// CPU time that the process has used.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec as u32)
}

/// Where CPU time is not to be had: time.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed()
}
