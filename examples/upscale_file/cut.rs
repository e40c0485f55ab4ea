//! Where the film is cut into segments. It depends on the coded film alone, so that all runs agree.

use std::ops::Range;

/// What is known of a coded picture.
#[derive(Debug, Clone, Copy)]
pub struct Picture {
    /// When it is shown, in ns from the film's beginning; none where the file does not say.
    pub time: Option<i64>,
    /// How long, in ns; 0 where the file does not say.
    pub duration: u64,
    /// Whether decoding can begin here.
    pub is_entry: bool,
}

/// A part of the film that is decoded, upscaled and encoded by itself.
///
/// It owns the frames that are shown from its first picture on until the next segment's first is. With open GOPs some of these
/// are coded after the picture that the next segment begins with, so it is `fed` more than it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The pictures that a decoder needs for it, by their place in the file.
    pub fed: Range<usize>,
    /// How many of them are its own.
    pub pictures: usize,
    /// When its frames are shown; the first and the last segment of a film are open at their ends.
    pub shown: Range<i64>,
}

/// Cuts a film into segments of at least `least` pictures.
pub fn cut(pictures: &[Picture], least: usize) -> Vec<Segment> {
    let cuts = cuts(pictures, least);
    let begins = std::iter::once(Cut { at: 0, leading: 0, time: i64::MIN }).chain(cuts.clone());
    let end = Cut { at: pictures.len(), leading: 0, time: i64::MAX };
    let ends = cuts.into_iter().chain([end]);
    begins
        .zip(ends)
        .map(|(begin, end)| Segment {
            // Where nothing leads, the next segment's first picture is not needed.
            fed: begin.at..if end.leading > 0 { end.at + 1 + end.leading } else { end.at },
            pictures: end.at - begin.at - begin.leading + end.leading,
            shown: begin.time..end.time,
        })
        .collect()
}

/// A place between two segments.
#[derive(Debug, Clone, Copy)]
struct Cut {
    /// The picture that the second one begins with.
    at: usize,
    /// How many pictures behind it are shown before it.
    leading: usize,
    /// When it is shown.
    time: i64,
}

fn cuts(pictures: &[Picture], least: usize) -> Vec<Cut> {
    let earliest = earliest_from(pictures);
    let mut cuts: Vec<Cut> = Vec::new();
    let mut latest = i64::MIN;
    for (at, picture) in pictures.iter().enumerate() {
        let Some(time) = picture.time else { return cuts };
        let since = at - cuts.last().map_or(0, |cut| cut.at);
        if picture.is_entry && at > 0 && since >= least && latest < time {
            let behind = &pictures[at + 1..];
            let leading = behind.iter().take_while(|p| p.time.is_some_and(|t| t < time)).count();
            // All that is shown before it lies before it or leads it.
            if earliest.get(at + 1 + leading).is_none_or(|&rest| rest > time) {
                cuts.push(Cut { at, leading, time });
            }
        }
        latest = latest.max(time);
    }
    cuts
}

/// When the first of a picture and all behind it is shown; never known where one of them does not say.
fn earliest_from(pictures: &[Picture]) -> Vec<i64> {
    let mut earliest: Vec<_> = pictures
        .iter()
        .rev()
        .scan(i64::MAX, |least, picture| {
            *least = (*least).min(picture.time.unwrap_or(i64::MIN));
            Some(*least)
        })
        .collect();
    earliest.reverse();
    earliest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Times in the order of coding; a star marks an entry.
    fn film(text: &str) -> Vec<Picture> {
        let picture = |word: &str| Picture {
            time: word.trim_end_matches('*').parse().ok(),
            duration: 1,
            is_entry: word.ends_with('*'),
        };
        text.split(' ').map(picture).collect()
    }

    fn ranges(text: &str, least: usize) -> Vec<(Range<usize>, usize)> {
        cut(&film(text), least).into_iter().map(|s| (s.fed, s.pictures)).collect()
    }

    #[test]
    fn closed_groups_are_cut_between_pictures() {
        assert_eq!(ranges("0* 2 1 3* 5 4", 3), [(0..3, 3), (3..6, 3)]);
        assert_eq!(ranges("0* 2 1 3* 5 4", 4), [(0..6, 6)]);
    }

    #[test]
    fn leading_pictures_belong_to_the_segment_before() {
        assert_eq!(ranges("0* 1 4* 2 3 6 5", 2), [(0..5, 4), (2..7, 3)]);
        assert_eq!(
            cut(&film("0* 1 4* 2 3 6 5"), 2)[1].shown,
            4..i64::MAX,
            "the first of the next is shown when the last ends"
        );
    }

    #[test]
    fn what_cannot_be_cut_is_one_segment() {
        // Not in order, no entry, no times, no pictures.
        for text in ["0* 5 4* 6", "0* 4* 6 3", "0* 1 2 3", "0* x 2* 3", "0* 1 2* x"] {
            assert_eq!(ranges(text, 1).len(), 1, "{text}");
        }
        assert_eq!(cut(&[], 1).len(), 1);
    }

    #[test]
    fn every_picture_has_one_owner() {
        let text = "1 0 3* 2 4 7* 5 6 9 8 12* 10 11 13* 14* 15*";
        for least in 1..8 {
            let segments = cut(&film(text), least);
            assert_eq!(segments.iter().map(|s| s.pictures).sum::<usize>(), 16);
            for pair in segments.windows(2) {
                assert_eq!(pair[0].shown.end, pair[1].shown.start);
            }
        }
    }
}
