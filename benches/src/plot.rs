//! A plain plot as SVG: curves over the same time, one above the other, in colours that can be read on a dark
//! and on a light page.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const PANEL_HEIGHT: f64 = 120.0;
/// Room for the numbers at the left, and for the name above each curve.
const LEFT: f64 = 70.0;
const ABOVE: f64 = 26.0;

/// A curve of a panel of its own, which begins at zero.
pub struct Curve {
    /// Stands above it.
    pub name: &'static str,
    /// From left to right, evenly.
    pub points: Vec<f64>,
}

/// Draws the curves, which all take so many minutes.
#[must_use]
pub fn plot(minutes: u32, curves: &[Curve]) -> String {
    let panel = PANEL_HEIGHT + ABOVE;
    let mut svg = String::new();
    let mut bottom = 0.0;
    for curve in curves {
        bottom += panel;
        draw(&mut svg, curve, bottom);
    }
    let (height, below) = (bottom + 24.0, bottom + 16.0);
    let right = WIDTH - 10.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" fill=\"#7d838b\">\n{svg}\
         <text x=\"{LEFT}\" y=\"{below}\">0</text>\
         <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">{minutes} min</text>\n</svg>\n"
    )
}

fn draw(svg: &mut String, curve: &Curve, bottom: f64) {
    let (top, right) = (bottom - PANEL_HEIGHT, WIDTH - 10.0);
    let most = curve.points.iter().copied().fold(0.0, f64::max);
    let scale = if most > 0.0 { PANEL_HEIGHT / most } else { 0.0 };
    let count = u32::try_from(curve.points.len()).unwrap_or(u32::MAX);
    let step = (right - LEFT) / f64::from(count.saturating_sub(1).max(1));
    let places = (0..count).zip(&curve.points).map(|(number, point)| {
        let (x, y) = (LEFT + step * f64::from(number), bottom - point * scale);
        format!("{x:.1},{y:.1}")
    });
    let places = places.collect::<Vec<_>>().join(" ");
    let name = curve.name;
    // A string takes what is written to it.
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{name}</text>\n\
         <path d=\"M{LEFT} {top}H{right}M{LEFT} {bottom}H{right}\" stroke=\"#7d838b\" stroke-opacity=\"0.4\"/>\n\
         <text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
         <text x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">0</text>\n\
         <polyline points=\"{places}\" fill=\"none\" stroke=\"#2f81c7\" stroke-width=\"1.5\"/>\n",
        top - 6.0,
        LEFT - 6.0,
        top + 5.0,
        format_args!("{most:.1}"),
        LEFT - 6.0,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_left_to_right_with_its_highest_point_at_the_top() {
        let points = vec![5.0, 10.0, 0.0];
        let name = "ms";
        let svg = plot(60, &[Curve { name, points }]);
        // 26 above the panel, 120 of it.
        assert!(
            svg.contains("points=\"70.0,86.0 390.0,26.0 710.0,146.0\""),
            "{svg}"
        );
        assert!(svg.contains(">60 min<") && svg.contains(">10.0<"), "{svg}");
    }
}
