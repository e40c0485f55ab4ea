//! Properties are the manual.

use gst::glib;
use gst::prelude::*;

use crate::support::{init, text, tool};

/// Name and default as text: the design's table. All may change at any time.
const TABLE: [(&str, &str); 18] = [
    ("model", "NULL"),
    ("model-dir", "NULL"),
    ("provider", "auto"),
    ("device", "NULL"),
    ("provider-options", "NULL"),
    ("runtime-library", "NULL"),
    ("precision", "auto"),
    ("tile-size", "0"),
    ("overlap", "-1"),
    ("blend", "feather"),
    ("border", "mirror"),
    ("batch-size", "0"),
    ("queue-depth", "0"),
    ("scale", "0"),
    ("strength", "1"),
    ("sharpness", "0"),
    ("reuse-tolerance", "0"),
    ("memory-limit", "0"),
];

fn own() -> (gst::Element, Vec<glib::ParamSpec>) {
    init();
    let element = gst::ElementFactory::make("kizunasr").build().unwrap();
    let own = element.type_();
    let specs =
        element.list_properties().iter().filter(|p| p.owner_type() == own).cloned().collect();
    (element, specs)
}

#[test]
fn names_defaults_and_mutability_are_the_designs() {
    let (element, specs) = own();
    for (name, default) in TABLE {
        let spec = specs.iter().find(|p| p.name() == name).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(in_words(&element.property_value(name)), default, "{name}");
        assert_eq!(in_words(spec.default_value()), default, "{name} as declared");
        assert!(spec.flags().contains(gst::PARAM_FLAG_MUTABLE_PLAYING), "{name}");
    }
    let fallback = element.property_value("fallback");
    let (_, chosen) = glib::FlagsValue::from_value(&fallback).unwrap();
    assert_eq!(chosen.iter().map(|f| f.nick()).collect::<Vec<_>>(), ["tile", "cpu"]);
    let read_only = specs.iter().filter(|p| !p.flags().contains(glib::ParamFlags::WRITABLE));
    let mut read_only: Vec<_> = read_only.map(|p| p.name()).collect();
    read_only.sort_unstable();
    assert_eq!(read_only, ["active-provider", "model-info", "stats"]);
    assert_eq!(specs.len(), TABLE.len() + 1 + read_only.len());
}

#[test]
fn numbers_have_a_range() {
    let specs = own().1;
    for (name, least, most) in
        [("scale", 0.0, 16.0), ("strength", 0.0, 1.0), ("sharpness", -1.0, 1.0)]
    {
        let spec = specs.iter().find(|p| p.name() == name).unwrap();
        let spec = spec.downcast_ref::<glib::ParamSpecDouble>().unwrap();
        assert_eq!((spec.minimum(), spec.maximum()), (least, most), "{name}");
    }
    let overlap = specs.iter().find(|p| p.name() == "overlap").unwrap();
    assert_eq!(overlap.downcast_ref::<glib::ParamSpecInt>().unwrap().minimum(), -1);
}

fn in_words(value: &glib::Value) -> String {
    if let Some((_, chosen)) = glib::EnumValue::from_value(value) {
        return chosen.nick().into();
    }
    if value.get::<Option<gst::Structure>>().is_ok_and(|s| s.is_none()) {
        return "NULL".into();
    }
    value
        .transform::<String>()
        .ok()
        .and_then(|v| v.get::<Option<String>>().unwrap())
        .map_or_else(|| "NULL".into(), |text| text.parse::<f64>().map_or(text, |n| n.to_string()))
}

#[test]
fn each_says_what_it_is() {
    for spec in own().1 {
        let (name, nick, blurb) = (spec.name(), spec.nick(), spec.blurb().unwrap_or_default());
        assert_eq!(nick, nick.to_lowercase(), "{name}");
        assert!(!nick.is_empty() && blurb.len() > 30, "{name}: {blurb}");
        if spec.flags().contains(glib::ParamFlags::WRITABLE) {
            assert!(blurb.contains("May change"), "{name}: {blurb}");
        } else {
            assert!(blurb.contains("known from") || blurb.contains("so far"), "{name}: {blurb}");
        }
    }
}

#[test]
fn read_only_ones_answer_in_every_state() {
    let (element, _) = own();
    element.set_property("model", "anime4k-m");
    element.set_property_from_str("provider", "embedded");
    let read = || {
        let stats: gst::Structure = element.property("stats");
        let info: Option<gst::Structure> = element.property("model-info");
        (
            stats.get::<u64>("frames").unwrap(),
            info,
            element.property::<Option<String>>("active-provider"),
        )
    };
    assert_eq!(read(), (0, None, None));
    element.set_state(gst::State::Paused).unwrap();
    let (_, info, provider) = read();
    let info = info.unwrap();
    assert_eq!(info.get::<&str>("name"), Ok("anime4k-m"));
    assert!(info.get::<&str>("halo").unwrap().starts_with('7'), "{info}");
    assert!(provider.unwrap().starts_with("embedded ("));
    element.set_state(gst::State::Null).unwrap();
    read();
}

#[test]
fn gst_inspect_reads_as_a_manual() {
    let output = tool("gst-inspect-1.0").arg("kizunasr").output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    for part in [
        "Kizuna AI super-resolution",
        "tile-size",
        "P010_10LE",
        "changeable",
        "(0x00000004): resize",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}
