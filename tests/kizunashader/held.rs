//! Pictures that come twice.

use gst::prelude::*;

use crate::support::*;

const FROM: &str = "video/x-raw,format=RGBA,width=48,height=32,framerate=25/1";
const TO: &str = "video/x-raw,format=RGBA,width=96,height=64,framerate=25/1";

/// Two shots, the first held for three frames, the second for two.
fn shots() -> Vec<Vec<u8>> {
    let a = rgba(48, 32);
    let b: Vec<_> = a.chunks(4).flat_map(|p| [255 - p[0], 255 - p[1], p[2], p[3]]).collect();
    vec![a.clone(), a.clone(), a, b.clone(), b]
}

/// What `shots` become, and how many of them were not worked out.
fn made(element: &gst::Element) -> (Vec<Vec<u8>>, u64) {
    let frames = run_element(element, &shots(), FROM, TO);
    let stats = element.property::<gst::Structure>("stats");
    (frames, stats.get("reused").unwrap())
}

#[test]
fn a_held_picture_is_the_same_without_work() {
    let _alone = alone();
    let (frames, reused) = made(&element(&[]));
    assert_eq!(reused, 3);
    assert!(frames[0] == frames[1] && frames[1] == frames[2]);
    assert!(frames[2] != frames[3] && frames[3] == frames[4]);
    // The shot before does not shine through: a cut begins as a start does.
    let alone = run(&[], &shots()[3..], FROM, TO);
    let (most, _) = difference(&alone[0], &frames[3]);
    assert!(most <= 1, "{most}");
}

#[test]
fn shaders_that_tell_frames_apart_see_all_of_them() {
    let _alone = alone();
    let counted = shader("counted.glsl");
    let (frames, reused) = made(&element(&[("stages", "0"), ("shaders", &counted)]));
    assert_eq!(reused, 0);
    assert!(frames[0] != frames[1]);
}

#[test]
fn held_pictures_are_the_same_in_textures() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.raw"), folder.path().join("out.raw"));
    std::fs::write(&input, shots().concat()).unwrap();
    let line = format!(
        "filesrc location={} ! rawvideoparse width=48 height=32 format=rgba framerate=25/1 ! kizunashader name=shader ! \
         video/x-raw(memory:GLMemory),format=RGBA ! gldownload ! video/x-raw,format=RGBA ! filesink location={}",
        input.display(),
        output.display()
    );
    init();
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let shader = pipeline.by_name("shader").unwrap();
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty(), "{said:?}");
    let stats = shader.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("reused"), Ok(3));
    let all = std::fs::read(&output).unwrap();
    let (frames, _) = made(&element(&[]));
    assert!(all == frames.concat());
}

#[test]
fn settings_and_gaps_are_heeded_in_held_shots() {
    let _alone = alone();
    let element = element(&[]);
    let mut harness = harness(&element);
    harness.set_caps(FROM.parse().unwrap(), TO.parse().unwrap());
    let mut push = |flags| {
        let mut buffer = gst::Buffer::from_slice(rgba(48, 32));
        buffer.get_mut().unwrap().set_flags(flags);
        harness.push_and_pull(buffer).unwrap()
    };
    let bytes = |buffer: gst::Buffer| buffer.map_readable().unwrap().to_vec();
    let first = bytes(push(gst::BufferFlags::empty()));
    element.set_property("sharpness", 1.0);
    let sharper = bytes(push(gst::BufferFlags::empty()));
    assert!(sharper != first);
    assert!(bytes(push(gst::BufferFlags::empty())) == sharper);
    assert!(bytes(push(gst::BufferFlags::DISCONT)) == sharper);
    let stats = element.property::<gst::Structure>("stats");
    assert_eq!(stats.get::<u64>("reused"), Ok(1));
}
