//! README says what the element says.

use gst::prelude::*;

/// Rows of the property table of README behind `mark`: name and default.
fn documented(mark: &str) -> Vec<(String, String)> {
    let readme = include_str!("../README.md");
    let table = readme.split(mark).nth(1).expect("README has its table of properties");
    table
        .lines()
        .skip(3)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let mut cells =
                line.split('|').skip(1).map(|cell| cell.trim().trim_matches('`').to_owned());
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        })
        .collect()
}

/// A default as README writes it.
fn shown(property: &gst::glib::ParamSpec) -> String {
    if !property.flags().contains(gst::glib::ParamFlags::WRITABLE) {
        return "read-only".into();
    }
    let value = property.default_value();
    if let Some((_, flags)) = gst::glib::FlagsValue::from_value(value) {
        return flags.iter().map(|flag| flag.nick()).collect::<Vec<_>>().join("+");
    }
    if let Ok(number) = value.get::<f64>() {
        return number.to_string();
    }
    match value.get::<Option<String>>() {
        Ok(None) => "none".into(),
        Ok(Some(text)) => text,
        Err(_) => {
            value.serialize().map_or_else(|_| "none".into(), |text| text.trim_matches('"').into())
        }
    }
}

#[test]
fn readme_lists_every_property_with_its_default() {
    gst::init().unwrap();
    gstkizuna::plugin_register_static().unwrap();
    check("kizunasr", "<!-- properties");
    check("kizunashader", "<!-- shader properties");
    check("kizunaupscale", "<!-- upscale properties");
}

fn check(element: &str, mark: &str) {
    let element = gst::ElementFactory::make(element).build().unwrap();
    let own = element.list_properties();
    let own: Vec<_> = own.iter().filter(|p| p.owner_type() == element.type_()).collect();
    let listed = documented(mark);
    assert_eq!(own.len(), listed.len());
    for (property, (name, default)) in own.iter().zip(&listed) {
        assert_eq!(property.name(), name);
        assert_eq!(&shown(property), default, "default of {name}");
    }
}

#[test]
fn every_property_says_when_it_may_change() {
    gst::init().unwrap();
    gstkizuna::plugin_register_static().unwrap();
    for element in ["kizunasr", "kizunashader", "kizunaupscale"] {
        let element = gst::ElementFactory::make(element).build().unwrap();
        let properties = element.list_properties();
        for property in properties.iter().filter(|p| p.owner_type() == element.type_()) {
            let (name, blurb) = (property.name(), property.blurb().unwrap_or_default());
            assert!(blurb.len() > 20 && blurb.ends_with('.'), "blurb of {name}: {blurb}");
            assert!(blurb.contains(when(property)), "{name} does not say when: {blurb}");
        }
    }
}

/// What a blurb says of when a property may change, by its flags.
fn when(property: &gst::glib::ParamSpec) -> &'static str {
    let flags = property.flags();
    if !flags.contains(gst::glib::ParamFlags::WRITABLE) {
        "May be read at any time."
    } else if flags.contains(gst::PARAM_FLAG_MUTABLE_READY) {
        "May change in NULL and READY."
    } else {
        "May change at any time"
    }
}
