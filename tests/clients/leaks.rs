//! Nothing is left behind by programs that end well.

use crate::table::*;

#[test]
fn programs_leave_nothing_behind() {
    let source = format!("filesrc location={} ! decodebin", FILMS.mkv.display());
    for line in elements() {
        assert_nothing_leaks(&format!("{source} ! {line} ! fakesink"));
    }
}
