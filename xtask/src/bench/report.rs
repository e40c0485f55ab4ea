//! The table, the plot and the raw figures, into `benches/results/`; the table into README too.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use super::compare::Difference;
use super::figures::Figures;
use super::machine::Machine;
use super::race::{Entry, Outcome, median};
use super::{peers, svg};

/// Between these lines README holds the table.
const MARKERS: [&str; 2] = ["<!-- bench: written by cargo xtask bench -->", "<!-- bench end -->"];

/// All results.
#[derive(Debug)]
pub struct Report {
    machine: Machine,
    outcomes: Vec<Outcome>,
    notes: Vec<String>,
    /// How long everything took.
    pub minutes: f64,
}

/// A row of the raw figures.
#[derive(Serialize)]
struct Raw<'a> {
    case: &'a str,
    runner: String,
    is_best_peer: bool,
    fps: f64,
    ratio: Option<f64>,
    cpu_ratio: Option<f64>,
    share_of_peak: Option<f64>,
    inferred: Option<f64>,
    to_peer: Option<Difference>,
    to_fp32: Option<Difference>,
    to_off: Option<Difference>,
    cold: &'a Figures,
    runs: &'a [Figures],
}

impl Report {
    /// An empty report.
    pub fn new(machine: Machine) -> Self {
        Self { machine, outcomes: Vec::new(), notes: Vec::new(), minutes: 0.0 }
    }

    /// Something that the reader must know.
    pub fn note(&mut self, text: String) {
        eprintln!("  {text}");
        self.notes.push(text);
    }

    /// Adds a case.
    pub fn add(&mut self, mut outcome: Outcome) {
        for note in std::mem::take(&mut outcome.notes) {
            self.note(format!("{}: {note}", outcome.name));
        }
        self.outcomes.push(outcome);
    }

    /// Writes everything, and says where it is.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, root: &Path, into_readme: bool) -> Result<()> {
        let folder = root.join("benches/results");
        fs::create_dir_all(&folder)?;
        let stem = format!("{}-{}", self.machine.date, file_name(&self.machine.cpu));
        // A part must not overwrite the whole.
        let stem = if into_readme { stem } else { format!("{stem}-part") };
        let table = format!("{}\n{}", self.preface(), self.table());
        let files = [
            ("md", format!("# Benchmark\n\n![plot]({stem}.svg)\n\n{table}")),
            ("svg", svg::plot(&self.outcomes, &self.machine.describe())),
            ("toml", self.raw()?),
        ];
        for (kind, text) in files {
            let path = folder.join(format!("{stem}.{kind}"));
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            println!("{}", path.display());
        }
        if into_readme {
            let readme = root.join("README.md");
            let text = fs::read_to_string(&readme)?;
            let plot = format!("![frames per second](benches/results/{stem}.svg)");
            let short = format!("{}\n{}\n{plot}", self.preface(), self.short_table());
            let text = between_markers(&text, &short)
                .with_context(|| format!("README.md has no lines {}", MARKERS.join(" and ")))?;
            fs::write(readme, text)?;
        }
        print!("\n{table}");
        Ok(())
    }

    fn preface(&self) -> String {
        let Machine { date, load, .. } = &self.machine;
        format!(
            "On {}; {date}; load {load} at the beginning; {:.0} minutes. Beside {}.\n",
            self.machine.describe(),
            self.minutes,
            peers::versions(),
        )
    }

    fn table(&self) -> String {
        let mut text = String::from(
            "| case | runner | fps | ms/Mpx | of the best peer | processor time, peer by ours | of peak | inferred \
             | peak memory | first frame: cold, then | against peer | against fp32 | against no reuse |\n\
             |---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|---|---|\n",
        );
        for outcome in &self.outcomes {
            for (i, entry) in outcome.entries.iter().enumerate() {
                let is_best = outcome.best == Some(i);
                let case = if i == 0 { &outcome.name } else { "" };
                let bold = if is_best { " **(best peer)**" } else { "" };
                let figures = entry.last();
                let _ = writeln!(
                    text,
                    "| {case} | {}{bold} | {:.2} | {:.1} | {} | {} | {} | {} | {:.0} MB | {:.2} s, {:.2} s | {} | {} | {} |",
                    entry.runner,
                    entry.fps(),
                    1e9 / entry.fps() / (outcome.size.0 * outcome.size.1) as f64,
                    own(entry, shown(median(entry.ratios.clone()), 1.0, "")),
                    own(entry, shown(median(entry.cpu_ratios.clone()), 1.0, "")),
                    shown(self.share_of_peak(outcome, entry), 100.0, " %"),
                    shown(figures.inferred(), 100.0, " %"),
                    figures.peak as f64 / 1e6,
                    entry.cold.first,
                    figures.first,
                    difference(entry.to_peer),
                    difference(entry.to_fp32),
                    difference(entry.to_off),
                );
            }
        }
        for note in &self.notes {
            let _ = write!(text, "\n* {note}");
        }
        text + "\n"
    }

    /// Ours beside the best peer, for README.
    fn short_table(&self) -> String {
        let mut text = String::from(
            "| case | kizunasr | fps | best peer | fps | ratio | inferred | against peer |\n\
             |---|---|--:|---|--:|--:|--:|---|\n",
        );
        for outcome in &self.outcomes {
            let best = outcome.best.and_then(|i| outcome.entries.get(i));
            for entry in outcome.entries.iter().filter(|entry| entry.runner.is_own()) {
                let _ = writeln!(
                    text,
                    "| {} | {} | {:.1} | {} | {} | {} | {} | {} |",
                    outcome.name,
                    entry.runner.to_string().trim_start_matches("kizunasr "),
                    entry.fps(),
                    best.map(|best| best.runner.to_string()).unwrap_or_default(),
                    best.map(|best| format!("{:.1}", best.fps())).unwrap_or_default(),
                    shown(median(entry.ratios.clone()), 1.0, ""),
                    shown(entry.last().inferred(), 100.0, " %"),
                    difference(entry.to_peer),
                );
            }
        }
        text
    }

    /// Arithmetic that was done by what the machine could do at most in the time.
    fn share_of_peak(&self, outcome: &Outcome, entry: &Entry) -> Option<f64> {
        let done = outcome.flop * entry.last().inferred().unwrap_or(1.0) * entry.fps();
        Some(done / self.machine.peak(outcome.precision)?)
    }

    fn raw(&self) -> Result<String> {
        let mut text =
            format!("machine = {:?}\nminutes = {:.1}\n", self.machine.describe(), self.minutes);
        for outcome in &self.outcomes {
            for (i, entry) in outcome.entries.iter().enumerate() {
                let raw = Raw {
                    case: &outcome.name,
                    runner: entry.runner.to_string(),
                    is_best_peer: outcome.best == Some(i),
                    fps: entry.fps(),
                    ratio: median(entry.ratios.clone()),
                    cpu_ratio: median(entry.cpu_ratios.clone()),
                    share_of_peak: self.share_of_peak(outcome, entry),
                    inferred: entry.last().inferred(),
                    to_peer: entry.to_peer,
                    to_fp32: entry.to_fp32,
                    to_off: entry.to_off,
                    cold: &entry.cold,
                    runs: &entry.runs,
                };
                let row = std::collections::BTreeMap::from([("run", [raw])]);
                text += "\n";
                text += &toml::to_string(&row).context("figures cannot be written as TOML")?;
            }
        }
        Ok(text)
    }
}

/// Ratios are shown for ours alone.
fn own(entry: &Entry, text: String) -> String {
    if entry.runner.is_own() { text } else { String::new() }
}

fn shown(value: Option<f64>, factor: f64, unit: &str) -> String {
    let digits = if factor == 1.0 { 2 } else { 0 };
    value.map(|value| format!("{:.digits$}{unit}", value * factor)).unwrap_or_default()
}

fn difference(difference: Option<Difference>) -> String {
    difference.map(|d| d.to_string()).unwrap_or_default()
}

/// Lower-case letters and digits, the rest as dashes.
fn file_name(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).collect();
    words.join("-").to_lowercase()
}

/// The text with `table` between the markers; none where they are missing.
fn between_markers(text: &str, table: &str) -> Option<String> {
    let [begin, end] = MARKERS;
    let (before, rest) = text.split_once(begin)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{begin}\n{}\n{end}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let [begin, end] = MARKERS;
        let text = format!("before\n{begin}\nold\n{end}\nafter\n");
        let new = between_markers(&text, "new\n\n").unwrap();
        assert_eq!(new, format!("before\n{begin}\nnew\n{end}\nafter\n"));
        assert!(between_markers("nothing", "new").is_none());
    }

    #[test]
    fn readme_has_the_markers() {
        let readme = include_str!("../../../README.md");
        assert!(MARKERS.iter().all(|marker| readme.matches(marker).count() == 1));
    }

    #[test]
    fn file_names_are_plain() {
        assert_eq!(file_name("AMD EPYC(TM) 9B45, 2x"), "amd-epyc-tm-9b45-2x");
    }
}
