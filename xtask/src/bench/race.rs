//! The runs of one case, alternating.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use super::cases::Case;
use super::clips::Studio;
use super::compare::Difference;
use super::figures::Figures;
use super::peers::Peers;
use super::runners::{Precision, Runner, Sink, Track};

/// Frames whose result is compared with that of others.
const COMPARED: usize = 3;

/// What all cases share.
#[derive(Debug)]
pub struct Course<'a> {
    /// The checkout.
    pub root: PathBuf,
    /// Our program that runs a pipeline.
    pub pipeline: PathBuf,
    /// The peers, where there are any.
    pub peers: Option<&'a Peers>,
    /// Makes clips.
    pub studio: Studio,
    /// How long a run is to take, about.
    pub seconds: f64,
}

/// What a runner did in a case.
#[derive(Debug)]
pub struct Entry {
    /// Who.
    pub runner: Runner,
    /// A short run, which the rest is planned by: nothing is cached before it.
    pub cold: Figures,
    /// The runs.
    pub runs: Vec<Figures>,
    /// Our fps by the best peer's, run by run, sorted.
    pub ratios: Vec<f64>,
    /// The same for processor time a frame, which other programs on the machine disturb less: the peer's by ours.
    pub cpu_ratios: Vec<f64>,
    /// Against the best peer.
    pub to_peer: Option<Difference>,
    /// Against ONNX Runtime, which calculates in fp32.
    pub to_fp32: Option<Difference>,
    /// Against reuse switched off.
    pub to_off: Option<Difference>,
}

/// All that is known of a case.
#[derive(Debug)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Floating-point operations of a frame.
    pub flop: f64,
    /// Arithmetic that was asked for.
    pub precision: Precision,
    /// Pixels of a frame.
    pub size: (usize, usize),
    /// By runner.
    pub entries: Vec<Entry>,
    /// Index of the best peer.
    pub best: Option<usize>,
    /// What did not run, and why.
    pub notes: Vec<String>,
}

impl Course<'_> {
    /// Runs a case.
    ///
    /// # Errors
    /// If its clip cannot be made.
    pub fn race(&self, case: &Case) -> Result<Outcome> {
        let clip = match case.clip {
            "moving" => self.studio.moving(case.size, case.frames)?,
            part => self.studio.part(part, case.size)?,
        };
        let track = Track {
            root: self.root.clone(),
            pipeline: self.pipeline.clone(),
            peers: self.peers,
            model: case.model,
            clip,
            precision: case.precision,
        };
        let mut outcome = Outcome {
            name: case.name(),
            flop: case.model.flop * (case.size.0 * case.size.1) as f64,
            precision: case.precision,
            size: case.size,
            entries: Vec::new(),
            best: None,
            notes: Vec::new(),
        };
        for runner in &case.runners {
            if self.peers.is_none() && !runner.is_own() {
                continue;
            }
            if runner.is_own() {
                let _ = fs::remove_dir_all(self.root.join("target/bench/cache"));
            }
            match track.run(runner, self.short(case), Sink::Nothing) {
                Ok(cold) => outcome.entries.push(Entry::new(runner.clone(), cold)),
                Err(why) => outcome.notes.push(format!("{runner}: {why:#}")),
            }
        }
        outcome.best = best_peer(&outcome.entries);
        for round in 0..case.rounds {
            self.round(case, &track, round, &mut outcome);
        }
        for entry in &outcome.entries {
            eprintln!("  {}", entry.line());
        }
        self.compare(case, &track, &mut outcome);
        Ok(outcome)
    }

    /// Frames of the first run: enough to tell how long others will take.
    fn short(&self, case: &Case) -> usize {
        if case.model.flop > 1e5 { 3 } else { 10 }
    }

    /// Ours and the best peer, one after the other; in the first round the others too.
    fn round(&self, case: &Case, track: &Track, round: usize, outcome: &mut Outcome) {
        let best = outcome.best;
        let mut order: Vec<_> = (0..outcome.entries.len())
            .filter(|&i| outcome.entries[i].runner.is_own() || Some(i) == best || round == 0)
            .collect();
        // The peer goes first, so that each of ours follows closely; then the other way round.
        order.sort_by_key(|&i| Some(i) != best);
        if round % 2 == 1 {
            order.reverse();
        }
        let mut done = Vec::new();
        for i in order {
            let entry = &mut outcome.entries[i];
            // What is saved by reuse depends on what is to be seen: such clips are run whole.
            let has_reuse = entry.runner.is_own() && !entry.runner.is_without_reuse();
            let is_whole = has_reuse && case.clip != "moving";
            let frames = (self.seconds * entry.cold.fps()) as usize;
            let most =
                if entry.runner.is_own() { track.clip.frames.min(case.frames) } else { 1000 };
            let frames = if is_whole { most } else { frames.clamp(4.min(most), most) };
            match track.run(&entry.runner, frames, Sink::Nothing) {
                Ok(figures) => {
                    entry.runs.push(figures.clone());
                    done.push((i, figures));
                }
                Err(why) => outcome.notes.push(format!("{}: {why:#}", entry.runner)),
            }
        }
        let Some((_, peer)) = done.iter().find(|(i, _)| Some(*i) == best) else { return };
        for (i, own) in &done {
            outcome.entries[*i].ratios.push(own.fps() / peer.fps());
            outcome.entries[*i].cpu_ratios.push(peer.cpu_per_frame() / own.cpu_per_frame());
        }
    }

    /// Fills in how much the results differ.
    fn compare(&self, case: &Case, track: &Track, outcome: &mut Outcome) {
        let folder = self.root.join("target/bench");
        let path = |name: &str| folder.join(name).display().to_string();
        let (own, peer, fp32, off) =
            (path("own.raw"), path("peer.raw"), path("fp32.raw"), path("off.raw"));
        let ort = Runner::VsMlrt { engine: "ort", streams: 1 };
        let mut notes = Vec::new();
        let mut run = |runner: &Runner, frames, sink| {
            let done = track.run(runner, frames, sink);
            done.map_err(|why| notes.push(format!("{runner}, to compare: {why:#}"))).is_ok()
        };
        let best = outcome.best.map(|i| outcome.entries[i].runner.clone());
        let has_peer = best.is_some_and(|best| run(&best, COMPARED, Sink::Rgb(&peer)));
        let has_fp32 = has_peer && outcome.size.0 <= 640 && run(&ort, COMPARED, Sink::Rgb(&fp32));
        let all = case.compared;
        let mut kept_off = None;
        for entry in outcome.entries.iter_mut().filter(|entry| entry.runner.is_own()) {
            let compare = |other: &str| Difference::of_files(own.as_ref(), other.as_ref()).ok();
            if has_peer && run(&entry.runner, COMPARED, Sink::Rgb(&own)) {
                entry.to_peer = compare(&peer);
                entry.to_fp32 = has_fp32.then(|| compare(&fp32)).flatten();
            }
            let Some(without) = entry.runner.without_reuse() else { continue };
            let has_off =
                kept_off.as_ref() == Some(&without) || run(&without, all, Sink::I420(&off));
            if has_off && run(&entry.runner, all, Sink::I420(&own)) {
                entry.to_off = compare(&off);
            }
            kept_off = has_off.then_some(without);
        }
        outcome.notes.append(&mut notes);
        for file in [own, peer, fp32, off] {
            let _ = fs::remove_file(file);
        }
    }
}

fn best_peer(entries: &[Entry]) -> Option<usize> {
    let peers = entries.iter().enumerate().filter(|(_, entry)| entry.runner.is_peer());
    peers.max_by(|a, b| a.1.cold.fps().total_cmp(&b.1.cold.fps())).map(|(i, _)| i)
}

impl Entry {
    fn new(runner: Runner, cold: Figures) -> Self {
        Self {
            runner,
            cold,
            runs: Vec::new(),
            ratios: Vec::new(),
            cpu_ratios: Vec::new(),
            to_peer: None,
            to_fp32: None,
            to_off: None,
        }
    }

    /// Frames a second: the median of the runs.
    pub fn fps(&self) -> f64 {
        let runs = self.runs.iter().map(Figures::fps).collect();
        median(runs).unwrap_or_else(|| self.cold.fps())
    }

    /// The last run, which found whatever is cached; the first, if there is no other.
    pub fn last(&self) -> &Figures {
        self.runs.last().unwrap_or(&self.cold)
    }

    /// One line for who watches.
    fn line(&self) -> String {
        let ratio = median(self.ratios.clone()).map(|r| format!(", {r:.2} of the best peer"));
        format!("{}: {:.2} fps{}", self.runner, self.fps(), ratio.unwrap_or_default())
    }
}

/// The middle one; of an even number the mean of the middle two.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 { Some(upper) } else { Some((values[middle - 1] + upper) / 2.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }
}
