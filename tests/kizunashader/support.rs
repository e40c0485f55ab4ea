//! Frames through the element.

use std::path::PathBuf;

use gst::prelude::*;

pub use crate::pipelines::*;

/// A file of `tests/shader/files`.
pub fn shader(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shader/files");
    PathBuf::from(folder).join(name).display().to_string()
}

/// An element with properties as `gst-launch-1.0` takes them.
pub fn element(properties: &[(&str, &str)]) -> gst::Element {
    init();
    let element = gst::ElementFactory::make("kizunashader").build().unwrap();
    for (name, value) in properties {
        element.set_property_from_str(name, value);
    }
    element
}

/// What becomes of raw `frames` of caps `from`; the result has caps `to`.
pub fn run(properties: &[(&str, &str)], frames: &[Vec<u8>], from: &str, to: &str) -> Vec<Vec<u8>> {
    run_element(&element(properties), frames, from, to)
}

/// The same by `element`.
pub fn run_element(
    element: &gst::Element,
    frames: &[Vec<u8>],
    from: &str,
    to: &str,
) -> Vec<Vec<u8>> {
    let mut harness = harness(element);
    harness.set_caps(from.parse().unwrap(), to.parse().unwrap());
    let mut results = Vec::new();
    for (i, frame) in frames.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(frame.clone());
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(40 * i as u64));
        let made = harness.push_and_pull(buffer).unwrap();
        assert_eq!(made.pts(), Some(gst::ClockTime::from_mseconds(40 * i as u64)));
        results.push(visible(&made, &harness));
    }
    results
}

/// A frame's bytes without the padding behind rows.
fn visible(buffer: &gst::Buffer, harness: &gst_check::Harness) -> Vec<u8> {
    let pad = harness.element().unwrap().static_pad("src").unwrap();
    let info = info(&pad);
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, &info).unwrap();
    visible_of(&frame, &info)
}

/// Samples of all planes, row by row.
pub fn visible_of(
    frame: &gst_video::VideoFrameRef<&gst::BufferRef>,
    info: &gst_video::VideoInfo,
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for plane in 0..info.n_planes() {
        let component = (0..info.n_components()).find(|&c| info.comp_plane(c as u8) == plane);
        let component = component.unwrap() as u8;
        let row = info.comp_width(component) as usize * info.comp_pstride(component) as usize;
        let stride = info.stride()[plane as usize] as usize;
        let data = frame.plane_data(plane).unwrap();
        for y in 0..info.comp_height(component) as usize {
            bytes.extend_from_slice(&data[y * stride..][..row]);
        }
    }
    bytes
}

/// A picture with lines, slopes and flat areas: R'G'B'.
pub fn picture(width: usize, height: usize) -> Vec<[u8; 3]> {
    let pixel = |x: usize, y: usize| {
        let (fx, fy) = (x as f32 / width as f32, y as f32 / height as f32);
        let ring = (((fx - 0.5).powi(2) + (fy - 0.5).powi(2)).sqrt() * 40.0).sin();
        let line = if (x + 2 * y) % 23 < 2 { 0.1 } else { 1.0 };
        let flat = if fx > 0.7 && fy > 0.6 { 0.5 } else { 0.55 + 0.3 * ring };
        [flat * line, fx * line, (1.0 - fy) * (0.6 + 0.4 * line)].map(|v| (v * 255.0).round() as u8)
    };
    (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
}

/// The same as RGBA.
pub fn rgba(width: usize, height: usize) -> Vec<u8> {
    picture(width, height).into_iter().flat_map(|[r, g, b]| [r, g, b, 255]).collect()
}

/// The largest difference of samples, and the share of those that differ by more than 2 codes.
pub fn difference(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let differences = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    let beyond = differences.clone().filter(|&d| d > 2).count();
    (differences.max().unwrap_or(0), beyond as f64 / a.len() as f64)
}
