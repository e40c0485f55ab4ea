//! The same shader files and frames in mpv and libplacebo, which set-up ran (`tests/reference/shaders.py`).

use std::fs;
use std::path::Path;

use crate::support::*;

/// Most codes of 255 by which a sample may differ, and the share of samples that may differ by more.
const CODES: u8 = 2;
const BEYOND: f64 = 0.001;

#[test]
fn pictures_are_those_of_mpv_and_libplacebo() {
    let _alone = alone();
    let folder = std::env::var_os("KIZUNA_SHADER_REFERENCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/reference/shaders"),
        Into::into,
    );
    let Ok(cases) = fs::read_to_string(folder.join("cases.txt")) else {
        skip!("there are no pictures of mpv and libplacebo");
        return;
    };
    for reason in fs::read_to_string(folder.join("absent.txt")).unwrap_or_default().lines() {
        skip!("{reason}");
    }
    let mut wrong = Vec::new();
    for line in cases.lines() {
        let fields: Vec<_> = line.splitn(11, ' ').collect();
        let [
            name,
            format,
            width,
            height,
            out_width,
            out_height,
            color,
            site,
            frames,
            params,
            shaders,
        ] = fields[..]
        else {
            panic!("{line}")
        };
        let site = if site == "none" { String::new() } else { format!(",chroma-site={site}") };
        let from = format!(
            "video/x-raw,format={format},width={width},height={height},framerate=25/1,colorimetry={color}{site}"
        );
        let to =
            format!("video/x-raw,format=RGB,width={out_width},height={out_height},framerate=25/1");
        let frame = fs::read(format!("{}.raw", folder.join(name).display())).unwrap();
        let frames = vec![with_strides(&frame, &from); frames.parse().unwrap()];
        let shaders = if shaders == "none" { "" } else { shaders };
        let properties = [("stages", "0"), ("shaders", shaders), ("shader-params", params)];
        let ours = run(&properties, &frames, &from, &to).pop().unwrap();
        let theirs = fs::read(format!("{}.rgb", folder.join(name).display())).unwrap();
        let beyond = ours.iter().zip(&theirs).filter(|(a, b)| a.abs_diff(**b) > CODES).count();
        let share = beyond as f64 / ours.len() as f64;
        let (most, _) = difference(&ours, &theirs);
        println!("{name}: {most} codes at most, {:.3} % beyond {CODES}", 100.0 * share);
        if share > BEYOND {
            if let Some(folder) = std::env::var_os("KIZUNA_SAVE") {
                fs::write(Path::new(&folder).join(format!("{name}.ours.rgb")), &ours).unwrap();
            }
            wrong.push(format!("{name}: {most} codes, {:.2} %", 100.0 * share));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Rows of raw planes as GStreamer lays them out.
fn with_strides(raw: &[u8], caps: &str) -> Vec<u8> {
    let caps: gst::Caps = caps.parse().unwrap();
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    let mut frame = vec![0; info.size()];
    let mut raw = raw;
    for plane in 0..info.n_planes() {
        let component = (0..info.n_components()).find(|&c| info.comp_plane(c as u8) == plane);
        let component = component.unwrap() as u8;
        let row = info.comp_width(component) as usize * info.comp_pstride(component) as usize;
        let (offset, stride) =
            (info.offset()[plane as usize], info.stride()[plane as usize] as usize);
        for y in 0..info.comp_height(component) as usize {
            let (head, tail) = raw.split_at(row);
            frame[offset + y * stride..][..row].copy_from_slice(head);
            raw = tail;
        }
    }
    assert!(raw.is_empty());
    frame
}
