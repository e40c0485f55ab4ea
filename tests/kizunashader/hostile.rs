//! Files that make no sense, given to the driver while frames flow.

use std::fs;

use gst::prelude::*;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::generated::{mutated, random_headers, rewritten};
use crate::support::*;

/// Whatever a file says, its frame comes; where the file is refused, the warning names it and a line of it.
///
/// `KIZUNA_HOSTILE` is how many files are tried; 10,000 take half a minute.
#[test]
fn any_file_runs_or_is_refused_with_its_line() {
    let _alone = alone();
    let cases = std::env::var("KIZUNA_HOSTILE").map_or(2000, |count| count.parse().unwrap());
    let element = element(&[("stages", "0"), ("scale", "1")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut harness = harness(&element);
    let caps = video("I420,width=16,height=16");
    harness.set_caps(caps.clone(), caps.clone());
    let folder = tempfile::tempdir().unwrap();
    let texts = prop_oneof![3 => rewritten(), 2 => mutated(), 1 => random_headers()];
    let mut runner = TestRunner::deterministic();
    let mut refused = 0;
    for number in 0..cases {
        let text = texts.new_tree(&mut runner).unwrap().current();
        let path = folder.path().join(format!("{number}.glsl")).display().to_string();
        fs::write(&path, &text).unwrap();
        element.set_property("shaders", &path);
        assert!(harness.push_and_pull(buffer(&caps)).is_ok(), "{text}");
        while let Some(message) = bus.pop_filtered(&[gst::MessageType::Warning]) {
            let gst::MessageView::Warning(warning) = message.view() else { continue };
            let said = warning.error().to_string();
            let rest = said.strip_prefix(&format!("{path}:"));
            let line = rest.and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            let lines = 1..=text.lines().count() + 1;
            assert!(line.is_some_and(|line| lines.contains(&line)), "{said}\n{text}");
            refused += 1;
        }
        fs::remove_file(&path).unwrap();
    }
    println!("{refused} of {cases} files were refused");
    assert!(refused > 0 && refused < cases);
}
