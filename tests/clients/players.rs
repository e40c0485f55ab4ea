//! Players.

use std::path::Path;

use gst::prelude::*;

use crate::journal::Journal;
use crate::scene::Stopped;
use crate::table::*;

/// A player with `filter`, and with sinks that show nothing.
fn player(kind: &str, film: &Path, filter: &gst::Element, sync: bool) -> Stopped {
    let sink = |name: &str| {
        let sink = gst::ElementFactory::make("fakesink").name(name).property("sync", sync);
        sink.build().unwrap()
    };
    let player = gst::ElementFactory::make(kind)
        .property("uri", uri(film))
        .property("video-filter", filter)
        .property("video-sink", sink("video"))
        .property("audio-sink", sink("audio"))
        .build()
        .unwrap();
    Stopped(player.downcast().unwrap())
}

fn settle(player: &gst::Pipeline, state: gst::State) {
    player.set_state(state).unwrap();
    let (result, ..) = player.state(gst::ClockTime::from_seconds(60));
    assert_ne!(result, Ok(gst::StateChangeSuccess::Async));
    result.unwrap();
}

/// Brings a player to `state` from the beginning. 1.22's playbin3 may stand still before any decoder is there, on a busy machine at one
/// start of a hundred, with `identity` as its filter too: a player that gave nothing to its filter is started again.
fn start(player: &gst::Pipeline, state: gst::State, journal: &Journal) {
    let before = journal.counts();
    for _ in 0..3 {
        player.set_state(state).unwrap();
        let (result, ..) = player.state(gst::ClockTime::from_seconds(10));
        if result != Ok(gst::StateChangeSuccess::Async) || journal.counts() != before {
            break;
        }
        player.set_state(gst::State::Ready).unwrap();
        journal.cut();
    }
    settle(player, state);
}

fn to_the_end(player: &gst::Pipeline, journal: &Journal) {
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = player.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends);
    let end = end.unwrap_or_else(|| panic!("no end: {journal:?}"));
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
}

#[test]
fn playbin_takes_it_as_a_filter() {
    for line in elements() {
        for kind in ["playbin", "playbin3"] {
            let _alone = alone_with(line);
            let filter = element(line);
            let journal = Journal::of(&filter, line);
            let player = player(kind, &FILMS.mp4, &filter, false);
            start(&player, gst::State::Playing, &journal);
            to_the_end(&player, &journal);
            player.set_state(gst::State::Null).unwrap();
            assert_eq!(journal.counts(), (FRAMES, FRAMES), "{kind}: {line}");
            journal.check(line, may_drop(&filter));
        }
    }
}

#[test]
fn playbin_seeks_and_pauses() {
    for line in elements() {
        let _alone = alone_with(line);
        let filter = element(line);
        let journal = Journal::of(&filter, line);
        let player = player("playbin3", &FILMS.mp4, &filter, true);
        start(&player, gst::State::Paused, &journal);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        for ms in [1000, 200, 1600, 1200] {
            let to = gst::ClockTime::from_mseconds(ms);
            player.seek_simple(flags, to).unwrap();
            settle(&player, gst::State::Playing);
            settle(&player, gst::State::Paused);
            // Time stamps of this file begin at the second picture's time.
            let first = journal.times()[0];
            assert!(first >= to && first <= to + 2 * FRAME, "{line}: {first} for {to}");
            let at = player.query_position::<gst::ClockTime>().unwrap();
            assert!(at >= to, "{line}: {at} after {to}");
        }
        player.seek_simple(flags, gst::ClockTime::from_mseconds(1200)).unwrap();
        settle(&player, gst::State::Playing);
        to_the_end(&player, &journal);
        assert_eq!(journal.counts(), (20, 20), "{line}");
        player.set_state(gst::State::Null).unwrap();
        journal.check(line, may_drop(&filter));
    }
}

/// Another film by the same player, once stopped and once without a gap.
#[test]
fn playbin_plays_a_list() {
    for line in elements() {
        let _alone = alone_with(line);
        let filter = element(line);
        let journal = Journal::of(&filter, line);
        let player = player("playbin3", &FILMS.mkv, &filter, false);
        let next = uri(&FILMS.mp4);
        let calls = std::sync::atomic::AtomicU32::new(0);
        player.connect("about-to-finish", false, move |values| {
            if calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                values[0].get::<gst::Element>().unwrap().set_property("uri", &next);
            }
            None
        });
        start(&player, gst::State::Playing, &journal);
        to_the_end(&player, &journal);
        assert_eq!(journal.counts(), (2 * FRAMES, 2 * FRAMES), "{line}");
        player.set_state(gst::State::Ready).unwrap();
        player.set_property("uri", uri(&FILMS.mkv));
        start(&player, gst::State::Playing, &journal);
        to_the_end(&player, &journal);
        player.set_state(gst::State::Null).unwrap();
        assert_eq!(journal.counts(), (3 * FRAMES, 3 * FRAMES), "{line}");
        journal.check(line, may_drop(&filter));
    }
}

fn is_bin(line: &str) -> bool {
    element(line).is::<gst::Bin>()
}

/// What makes a filter out of text gives a bin ghost pads for all pads in it that are not linked, and these are called as the bin's own.
#[test]
fn a_bin_as_a_filter_has_no_loose_pads() {
    for line in elements().filter(|line| is_bin(line)) {
        let bin = element(line).downcast::<gst::Bin>().unwrap();
        for direction in [gst::PadDirection::Sink, gst::PadDirection::Src] {
            let loose = bin.find_unlinked_pad(direction);
            assert!(loose.is_none(), "{line}: {loose:?}");
        }
    }
}

#[test]
fn players_that_are_programs() {
    for line in elements() {
        let filter = format!("video-filter={line}");
        for player in ["playbin", "playbin3"] {
            let mut command = tool("gst-launch-1.0");
            let uri = format!("uri={}", uri(&FILMS.mp4));
            command.args(["-v", player, &uri, &filter]);
            command.args(["video-sink=fakesink", "audio-sink=fakesink"]);
            let output = run(&command);
            assert!(output.status.success(), "{line}: {}", text(&output));
        }
    }
}

/// As part of the sink of a player that plays one film after the other.
#[test]
fn gst_play_has_it_in_its_sink() {
    for line in elements() {
        let mut command = tool("gst-play-1.0");
        command.args(["--no-interactive", "--audiosink=fakesink"]);
        command.arg(format!("--videosink={line} ! fakesink"));
        command.args([&FILMS.mp4, &FILMS.mkv]);
        let output = run(&command);
        let said = text(&output);
        assert!(output.status.success() && !said.contains("ERROR"), "{line}: {said}");
    }
}
