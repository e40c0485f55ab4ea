//! What the viewer has chosen, and the element's properties that follow from it.

use crate::keys::Action;

/// The stages, as the element calls them.
pub const STAGES: [&str; 5] = ["normalize", "structure", "upscale", "enhance", "stabilize"];
/// As the element calls them, the fastest first.
pub const QUALITIES: [&str; 3] = ["fast", "balanced", "high"];
/// The last stage; see [`State::stages`].
const STABILIZE: usize = 4;
/// The element's own default.
const STABILITY: f64 = 0.5;

/// What the viewer has chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Which stages are on.
    pub on: [bool; STAGES.len()],
    /// One of [`QUALITIES`].
    pub quality: usize,
    /// Whether before and after are shown side by side.
    pub is_split: bool,
    /// Where the line is, 0 to 1.
    pub line: f64,
    /// Whether the network upscales the frame on pause.
    pub has_network: bool,
    /// Whether figures are shown.
    pub has_figures: bool,
}

impl State {
    /// As it is in the beginning.
    pub fn new(quality: usize) -> Self {
        let on = [true; STAGES.len()];
        Self { on, quality, is_split: false, line: 0.5, has_network: true, has_figures: true }
    }

    /// Takes over what a key asks for; actions that concern the film change nothing here.
    pub fn apply(&mut self, action: Action) {
        match action {
            Action::Toggle(stage) => self.on[stage] = !self.on[stage],
            Action::Better => self.quality = (self.quality + 1).min(QUALITIES.len() - 1),
            Action::Faster => self.quality = self.quality.saturating_sub(1),
            Action::Split => self.is_split = !self.is_split,
            Action::MoveSplit(by) => self.line = (self.line + by).clamp(0.0, 1.0),
            Action::Network => self.has_network = !self.has_network,
            Action::Figures => self.has_figures = !self.has_figures,
            Action::Quit | Action::Pause | Action::Seek(_) | Action::Help => {}
        }
    }

    /// The bin's `profile`. Side by side, the network would take both sides.
    pub fn profile(&self) -> &'static str {
        if self.has_network && !self.is_split { "hybrid" } else { "realtime" }
    }

    /// The element's `stages`. Side by side, the last one is missing: the element would run it behind the user's shaders, and so
    /// on both sides. The shader that shows them side by side does its work then, by [`State::params`].
    pub fn stages(&self) -> String {
        let runs = |stage: &usize| self.on[*stage] && !(self.is_split && *stage == STABILIZE);
        let names: Vec<_> = (0..STAGES.len()).filter(runs).map(|stage| STAGES[stage]).collect();
        if names.is_empty() { "0".into() } else { names.join("+") }
    }

    /// Values of the parameters of the shader that shows both sides.
    pub fn params(&self) -> [(&'static str, f64); 3] {
        let stabilizes = self.is_split && self.on[STABILIZE];
        let stability = if stabilizes { STABILITY } else { 0.0 };
        [
            ("split", f64::from(u8::from(self.is_split))),
            ("split_at", self.line),
            ("stability", stability),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_go_off_and_on() {
        let mut state = State::new(1);
        assert_eq!(state.stages(), "normalize+structure+upscale+enhance+stabilize");
        state.apply(Action::Toggle(2));
        assert_eq!(state.stages(), "normalize+structure+enhance+stabilize");
        state.apply(Action::Toggle(2));
        assert_eq!(state, State::new(1));
        (0..5).for_each(|stage| state.apply(Action::Toggle(stage)));
        assert_eq!(state.stages(), "0");
    }

    #[test]
    fn quality_stays_within_what_there_is() {
        let mut state = State::new(1);
        (0..5).for_each(|_| state.apply(Action::Better));
        assert_eq!(QUALITIES[state.quality], "high");
        (0..5).for_each(|_| state.apply(Action::Faster));
        assert_eq!(QUALITIES[state.quality], "fast");
    }

    #[test]
    fn exactly_one_stabilizes_if_any() {
        let mut state = State::new(1);
        for _ in 0..4 {
            let by_element = state.stages().contains("stabilize");
            let by_split = state.params()[2].1 > 0.0;
            assert_eq!(u8::from(by_element) + u8::from(by_split), u8::from(state.on[STABILIZE]));
            assert!(!by_split || state.is_split);
            state.apply(if state.is_split { Action::Toggle(STABILIZE) } else { Action::Split });
        }
    }

    #[test]
    fn the_line_stays_in_the_picture() {
        let mut state = State::new(1);
        (0..99).for_each(|_| state.apply(Action::MoveSplit(0.02)));
        assert_eq!(state.params()[1].1, 1.0);
        (0..99).for_each(|_| state.apply(Action::MoveSplit(-0.02)));
        assert_eq!(state.params()[1].1, 0.0);
    }
}
