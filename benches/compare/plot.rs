//! Two kinds of pictures as SVG: bars by group and server, and curves of percentiles. Pure text, no library.

use std::fmt::Write;

/// One colour per server, told apart also by people who see fewer of them (after Okabe and Ito, 2008).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#999999", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const TEXT: &str = "#333333";
const LINE: &str = "#dddddd";

/// Bars with one scale: `values[group][server]`, a missing one is left out.
#[derive(Clone, Debug)]
pub struct Panel {
    pub title: String,
    pub groups: Vec<String>,
    pub values: Vec<Vec<Option<f64>>>,
}

/// A server's percentiles: pairs of quantile (below 1) and milliseconds, ascending.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// A picture in the making.
struct Svg {
    body: String,
    width: f64,
    height: f64,
}

impl Svg {
    fn new(width: f64, height: f64) -> Svg {
        let mut svg = Svg { body: String::new(), width, height };
        svg.rectangle(0.0, 0.0, width, height, "#ffffff");
        svg
    }

    fn rectangle(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#
        );
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _ = writeln!(self.body, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{LINE}"/>"#);
    }

    fn curve(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        let _ = writeln!(self.body, r#"<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>"#);
    }

    /// `anchor` is start, middle or end.
    fn text(&mut self, x: f64, y: f64, size: u32, anchor: &str, text: &str) {
        let text = escape(text);
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" font-size="{size}" text-anchor="{anchor}" fill="{TEXT}">{text}</text>"#
        );
    }

    fn legend(&mut self, x: f64, y: f64, names: &[String]) {
        let mut x = x;
        for (name, colour) in names.iter().zip(COLOURS.iter().cycle()) {
            self.rectangle(x, y - 10.0, 12.0, 12.0, colour);
            self.text(x + 17.0, y, 13, "start", name);
            x += 37.0 + 8.0 * name.chars().count() as f64;
        }
    }

    fn finish(self) -> String {
        let Svg { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" font-family=\"sans-serif\">\n{body}</svg>\n"
        )
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Three digits that matter, or thousands and millions: what stands on a bar.
fn short_number(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.0} k", value / 1e3),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 1.0 => format!("{value:.2}"),
        value => format!("{value:.3}"),
    }
}

/// Panels side by side, each with a scale of its own from zero.
pub fn bars(title: &str, servers: &[String], panels: &[Panel]) -> String {
    const TOP: f64 = 90.0;
    const PLOT: f64 = 240.0;
    const GAP: f64 = 30.0;
    // Room for the number above a bar.
    let bar = 46.0;
    let group_width = bar * servers.len() as f64 + GAP;
    let widths: Vec<f64> = panels.iter().map(|panel| group_width * panel.groups.len() as f64 + GAP).collect();
    let width = widths.iter().sum::<f64>().max(420.0) + 2.0 * GAP;
    let mut svg = Svg::new(width, TOP + PLOT + 60.0);
    svg.text(GAP, 28.0, 17, "start", title);
    svg.legend(GAP, 52.0, servers);
    let mut left = GAP;
    for (panel, panel_width) in panels.iter().zip(widths) {
        let all = panel.values.iter().flatten().flatten();
        let most = all.copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        svg.text(left + (panel_width - GAP) / 2.0, TOP - 6.0, 14, "middle", &panel.title);
        svg.line((left, TOP + PLOT), (left + panel_width - GAP, TOP + PLOT));
        for (group, (name, values)) in panel.groups.iter().zip(&panel.values).enumerate() {
            let group_left = left + GAP / 2.0 + group_width * group as f64;
            for (server, value) in values.iter().enumerate() {
                let Some(value) = *value else { continue };
                let x = group_left + bar * server as f64;
                // The highest bar leaves room for its number.
                let height = value / most * (PLOT - 24.0);
                svg.rectangle(x + 2.0, TOP + PLOT - height, bar - 4.0, height, COLOURS[server % COLOURS.len()]);
                svg.text(x + bar / 2.0, TOP + PLOT - height - 4.0, 11, "middle", &short_number(value));
            }
            svg.text(group_left + (group_width - GAP) / 2.0, TOP + PLOT + 20.0, 13, "middle", name);
        }
        left += panel_width;
    }
    svg.finish()
}

/// Latency over quantiles; both axes logarithmic, the horizontal one in nines.
pub fn curves(title: &str, curves: &[Curve]) -> String {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 80.0;
    const WIDTH: f64 = 700.0;
    const HEIGHT: f64 = 320.0;
    let all = || curves.iter().flat_map(|curve| &curve.points);
    let nines = |quantile: f64| -(1.0 - quantile).max(1e-9).log10();
    let nines_max = all().map(|(quantile, _)| nines(*quantile)).fold(1.0, f64::max);
    let lowest = all().map(|(_, ms)| *ms).fold(f64::INFINITY, f64::min).clamp(1e-6, 1e6).log10().floor();
    let highest = all().map(|(_, ms)| *ms).fold(0.0, f64::max).clamp(1e-6, 1e6).log10().ceil().max(lowest + 1.0);
    let x_of = |quantile: f64| LEFT + nines(quantile) / nines_max * WIDTH;
    let y_of = |ms: f64| TOP + HEIGHT - (ms.max(1e-6).log10() - lowest) / (highest - lowest) * HEIGHT;
    let mut svg = Svg::new(LEFT + WIDTH + 40.0, TOP + HEIGHT + 60.0);
    svg.text(20.0, 28.0, 17, "start", title);
    let names: Vec<String> = curves.iter().map(|curve| curve.name.clone()).collect();
    svg.legend(20.0, 52.0, &names);
    for power in lowest as i32..=highest as i32 {
        let y = y_of(10_f64.powi(power));
        svg.line((LEFT, y), (LEFT + WIDTH, y));
        svg.text(LEFT - 8.0, y + 4.0, 12, "end", &format!("{} ms", 10_f64.powi(power)));
    }
    for (name, quantile) in
        [("0", 0.0), ("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("99.99 %", 0.9999)]
    {
        if nines(quantile) <= nines_max {
            svg.line((x_of(quantile), TOP), (x_of(quantile), TOP + HEIGHT));
            svg.text(x_of(quantile), TOP + HEIGHT + 18.0, 12, "middle", name);
        }
    }
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<(f64, f64)> = curve.points.iter().map(|(quantile, ms)| (x_of(*quantile), y_of(*ms))).collect();
        svg.curve(&points, colour);
    }
    svg.text(LEFT + WIDTH / 2.0, TOP + HEIGHT + 42.0, 13, "middle", "share of requests that took no longer");
    svg.finish()
}

/// Milliseconds over seconds; the vertical axis is logarithmic.
pub fn timelines(title: &str, timelines: &[Curve]) -> String {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 80.0;
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 300.0;
    let all = || timelines.iter().flat_map(|line| &line.points);
    let seconds = all().map(|(second, _)| *second).fold(1.0, f64::max);
    let lowest = -2.0;
    let highest = all().map(|(_, ms)| *ms).fold(1.0, f64::max).log10().ceil();
    let x_of = |second: f64| LEFT + second / seconds * WIDTH;
    let y_of = |ms: f64| TOP + HEIGHT - (ms.max(0.01).log10() - lowest) / (highest - lowest) * HEIGHT;
    let mut svg = Svg::new(LEFT + WIDTH + 40.0, TOP + HEIGHT + 60.0);
    svg.text(20.0, 28.0, 17, "start", title);
    let names: Vec<String> = timelines.iter().map(|line| line.name.clone()).collect();
    svg.legend(20.0, 52.0, &names);
    for power in lowest as i32..=highest as i32 {
        let y = y_of(10_f64.powi(power));
        svg.line((LEFT, y), (LEFT + WIDTH, y));
        svg.text(LEFT - 8.0, y + 4.0, 12, "end", &format!("{} ms", 10_f64.powi(power)));
    }
    for tick in 0..=5 {
        let second = seconds / 5.0 * f64::from(tick);
        svg.text(x_of(second), TOP + HEIGHT + 18.0, 12, "middle", &format!("{second:.1}"));
    }
    for (line, colour) in timelines.iter().zip(COLOURS.iter().cycle()) {
        let points: Vec<(f64, f64)> = line.points.iter().map(|(second, ms)| (x_of(*second), y_of(*ms))).collect();
        svg.curve(&points, colour);
    }
    svg.text(LEFT + WIDTH / 2.0, TOP + HEIGHT + 42.0, 13, "middle", "seconds");
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_on_bars() {
        for (value, text) in
            [(0.1234, "0.123"), (1.5, "1.50"), (12.34, "12.3"), (321.4, "321"), (85_400.0, "85 k"), (2.4e6, "2.40 M")]
        {
            assert_eq!(short_number(value), text);
        }
    }

    #[test]
    fn a_bar_per_figure() {
        let panel = Panel {
            title: "pipeline 1".to_owned(),
            groups: vec!["set".to_owned(), "get".to_owned()],
            values: vec![vec![Some(9.0), Some(4.5)], vec![Some(1.0), None]],
        };
        let svg = bars("CPU <µs>", &["ringfort".to_owned(), "a&b".to_owned()], &[panel]);
        // The background, two in the legend, three bars.
        assert_eq!(svg.matches("<rect").count(), 6);
        assert!(svg.contains("CPU &lt;µs&gt;") && svg.contains("a&amp;b") && svg.contains(">4.50<"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        // Half the figure, half the height.
        assert!(svg.contains(r#"height="216.0""#) && svg.contains(r#"height="108.0""#), "{svg}");
    }

    #[test]
    fn a_line_per_server() {
        let points = vec![(0.0, 0.05), (0.5, 0.1), (0.999, 2.0)];
        let both = [Curve { name: "a".to_owned(), points }, Curve { name: "b".to_owned(), points: vec![(0.5, 0.2)] }];
        let svg = curves("latency", &both);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("0.01 ms") && svg.contains("10 ms") && svg.contains("99.9 %"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(!curves("nothing", &[]).contains("NaN"));
    }

    #[test]
    fn a_line_over_time() {
        let line = Curve { name: "a".to_owned(), points: vec![(0.0, 0.0), (0.1, 12.0), (0.2, 0.2)] };
        let svg = timelines("worst", &[line]);
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert!(svg.contains("0.01 ms") && svg.contains("100 ms") && !svg.contains("NaN"), "{svg}");
        assert!(!timelines("nothing", &[]).contains("NaN"));
    }
}
