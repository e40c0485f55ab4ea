//! A network while it is being read: every layer knows its inputs channel by channel, so that what is computed twice can be
//! found and computed once.

use super::{Activation, Edge, Form, Layer, Read};

/// One channel that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Source {
    pub feature: usize,
    pub channel: usize,
    pub form: Form,
    /// Whether the value is negated after that: the other half of a CReLU before it is rectified.
    pub is_negated: bool,
}

impl Source {
    pub fn plain(feature: usize, channel: usize) -> Self {
        Self { feature, channel, form: Form::Plain, is_negated: false }
    }

    pub fn negated(self) -> Self {
        Self { is_negated: !self.is_negated, ..self }
    }

    /// `None` for what no [`Form`] stands for.
    pub fn rectified(self) -> Option<Self> {
        let form = match (self.form, self.is_negated) {
            (Form::Plain, false) => Form::Rectified,
            (Form::Plain, true) => Form::NegatedRectified,
            (form, false) => form,
            (_, true) => return None,
        };
        Some(Self { form, is_negated: false, ..self })
    }

    /// The same where this source's feature was found to be minus another.
    fn of_negative(self) -> Self {
        match self.form {
            Form::Plain => self.negated(),
            Form::Rectified => Self { form: Form::NegatedRectified, ..self },
            Form::NegatedRectified => Self { form: Form::Rectified, ..self },
        }
    }
}

/// A layer whose weights are (output, source, row, column).
#[derive(Debug)]
pub(super) struct Draft {
    pub sources: Vec<Source>,
    pub outputs: usize,
    pub side: usize,
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
    pub activation: Activation,
    pub edge: Edge,
    pub add: Option<Read>,
}

impl Draft {
    fn filter(&self, output: usize) -> &[f32] {
        let len = self.sources.len() * self.side * self.side;
        &self.weights[output * len..][..len]
    }

    /// Whether filter `b` is `factor` (1 or -1) times filter `a`.
    fn is_multiple(&self, a: usize, b: usize, factor: f32) -> bool {
        let alike = |a: &f32, b: &f32| *a * factor == *b;
        alike(&self.bias[a], &self.bias[b])
            && self.filter(a).iter().zip(self.filter(b)).all(|(a, b)| alike(a, b))
    }

    /// For every output the first one that it equals, and whether it is that one's negative.
    fn twins(&self, may_negate: bool) -> Vec<(usize, bool)> {
        let twin = |o: usize| {
            let same = (0..o).find(|&first| self.is_multiple(first, o, 1.0)).map(|i| (i, false));
            let negative = || {
                let first = (0..o).find(|&first| self.is_multiple(first, o, -1.0))?;
                may_negate.then_some((first, true))
            };
            same.or_else(negative).unwrap_or((o, false))
        };
        (0..self.outputs).map(twin).collect()
    }

    fn keep(&mut self, outputs: &[usize]) {
        self.weights = outputs.iter().flat_map(|&o| self.filter(o).to_vec()).collect();
        self.bias = outputs.iter().map(|&o| self.bias[o]).collect();
        self.outputs = outputs.len();
    }

    /// The layer that reads whole features; `channels` says how many each has.
    pub fn finish(self, channels: impl Fn(usize) -> usize) -> Layer {
        let area = self.side * self.side;
        let mut reads: Vec<Read> = Vec::new();
        let mut first = Vec::new();
        let mut inputs = 0;
        let mut places = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            let read = Read { feature: source.feature, form: source.form };
            let known = reads.iter().position(|r| *r == read);
            let index = known.unwrap_or_else(|| {
                reads.push(read);
                first.push(inputs);
                inputs += channels(read.feature);
                reads.len() - 1
            });
            places.push(first[index] + source.channel);
        }
        let mut weights = vec![0.0; self.outputs * inputs * area];
        for o in 0..self.outputs {
            for ((source, place), taps) in
                self.sources.iter().zip(&places).zip(self.filter(o).chunks_exact(area))
            {
                let sign = if source.is_negated { -1.0 } else { 1.0 };
                let sums = &mut weights[(o * inputs + place) * area..][..area];
                sums.iter_mut().zip(taps).for_each(|(sum, w)| *sum += sign * w);
            }
        }
        let Self { outputs, side, bias, activation, edge, add, .. } = self;
        Layer { reads, outputs, side, weights, bias, activation, edge, add }
    }
}

/// Computes filters that are alike, or each other's negatives, once. `picture` is what the tail reads; never negated.
pub(super) fn share(drafts: &mut [Draft], picture: &mut [Source]) {
    for i in 0..drafts.len() {
        let feature = i + 1;
        let is_added = drafts.iter().any(|d| d.add.is_some_and(|add| add.feature == feature));
        if is_added || drafts[i].add.is_some() || drafts[i].activation != Activation::None {
            continue;
        }
        let is_shown = picture.iter().any(|s| s.feature == feature);
        let twins = drafts[i].twins(!is_shown);
        let kept: Vec<_> = (0..twins.len()).filter(|&o| twins[o].0 == o).collect();
        if kept.len() == twins.len() {
            continue;
        }
        drafts[i].keep(&kept);
        let later = drafts.iter_mut().flat_map(|d| &mut d.sources).chain(picture.iter_mut());
        for source in later.filter(|s| s.feature == feature) {
            let (twin, is_negative) = twins[source.channel];
            // Twins are first of their kind, so each of them was kept.
            source.channel = kept.partition_point(|&o| o < twin);
            if is_negative {
                *source = source.of_negative();
            }
        }
    }
}

/// Rectifies a feature when it is made, where nobody reads it otherwise.
pub(super) fn rectify_early(drafts: &mut [Draft], picture: &mut [Source]) {
    for i in 0..drafts.len() {
        let feature = i + 1;
        let adds = drafts.iter().filter_map(|d| d.add).filter(|add| add.feature == feature);
        let sources = drafts.iter().flat_map(|d| &d.sources).chain(picture.iter());
        let forms = sources.filter(|s| s.feature == feature).map(|s| s.form);
        let is_rectified = forms.chain(adds.map(|a| a.form)).all(|form| form == Form::Rectified);
        let is_bare = drafts[i].add.is_none() && drafts[i].activation == Activation::None;
        if !is_rectified || !is_bare {
            continue;
        }
        drafts[i].activation = Activation::Relu;
        let sources = drafts.iter_mut().flat_map(|d| &mut d.sources).chain(picture.iter_mut());
        sources.filter(|s| s.feature == feature).for_each(|s| s.form = Form::Plain);
        let adds = drafts.iter_mut().filter_map(|d| d.add.as_mut());
        adds.filter(|add| add.feature == feature).for_each(|add| add.form = Form::Plain);
    }
}
