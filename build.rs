//! Puts the commit and the release date where `plugin_define!` finds them.

fn main() {
    gst_plugin_version_helper::info();
}
