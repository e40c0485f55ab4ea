//! A bar plot: for each case a bar for each runner.

use std::fmt::Write;

use super::race::{Entry, Outcome};

const BAR: usize = 16;
const GAP: usize = 22;
const LEFT: usize = 330;
const WIDTH: usize = 900;
/// Room for a bar of full length; its figure comes behind.
const FULL: f64 = (WIDTH - LEFT - 90) as f64;

/// The plot as SVG; each case has its own scale, up to its fastest runner.
pub fn plot(outcomes: &[Outcome], title: &str) -> String {
    let bars: usize = outcomes.iter().map(|outcome| outcome.entries.len()).sum();
    let height = 50 + bars * BAR + outcomes.len() * (GAP + BAR);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"20\" font-size=\"13\" font-weight=\"bold\">Frames per second. {}</text>\n",
        escaped(title)
    );
    let mut y = 32;
    for outcome in outcomes {
        y += GAP;
        let _ = writeln!(
            svg,
            "<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{}</text>",
            escaped(&outcome.name)
        );
        y += 6;
        let fastest = outcome.entries.iter().map(Entry::fps).fold(0.0, f64::max);
        for (i, entry) in outcome.entries.iter().enumerate() {
            let colour = match (entry.runner.is_own(), outcome.best == Some(i)) {
                (true, _) => "#d1495b",
                (_, true) => "#30638e",
                _ => "#9fb8cc",
            };
            bar(&mut svg, y, entry, entry.fps() / fastest * FULL, colour);
            y += BAR;
        }
        y += BAR - 6;
    }
    svg + "</svg>\n"
}

fn bar(svg: &mut String, y: usize, entry: &Entry, length: f64, colour: &str) {
    let name = escaped(&entry.runner.to_string());
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
         <rect x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{colour}\"/>\
         <text x=\"{:.1}\" y=\"{}\">{:.2}</text>",
        LEFT - 8,
        y + BAR - 5,
        BAR - 4,
        LEFT as f64 + length + 5.0,
        y + BAR - 5,
        entry.fps(),
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_escaped() {
        assert_eq!(super::escaped("a<b & c>d"), "a&lt;b &amp; c&gt;d");
    }
}
