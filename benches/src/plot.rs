//! A simple plot as SVG: curves over the same time, one above the other, in colours that are readable on dark and light
//! pages.

const WIDTH: f64 = 720.0;
const PANEL_HEIGHT: f64 = 120.0;
/// Margins for the numbers at the left, and for the name above each curve.
const LEFT: f64 = 70.0;
const ABOVE: f64 = 26.0;
const RIGHT: f64 = WIDTH - 10.0;

/// Draws curves over this number of minutes, each with its name in its own panel, which begins at zero. The points of a
/// curve have equal distances.
pub(crate) fn plot(minutes: u32, curves: &[(&str, Vec<f64>)]) -> String {
    let mut panels = String::new();
    let mut bottom = 0.0;
    for (name, points) in curves {
        bottom += PANEL_HEIGHT + ABOVE;
        panels += &panel(name, points, bottom);
    }
    let (height, below) = (bottom + 24.0, bottom + 16.0);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12" fill="#7d838b">
{panels}<text x="{LEFT}" y="{below}">0</text><text x="{RIGHT}" y="{below}" text-anchor="end">{minutes} min</text>
</svg>
"##
    )
}

fn panel(name: &str, points: &[f64], bottom: f64) -> String {
    let (top, left) = (bottom - PANEL_HEIGHT, LEFT - 6.0);
    let most = points.iter().copied().fold(0.0, f64::max);
    let scale = if most > 0.0 { PANEL_HEIGHT / most } else { 0.0 };
    let step = (RIGHT - LEFT) / points.len().saturating_sub(1).max(1) as f64;
    let places = points.iter().enumerate().map(|(number, point)| {
        let (x, y) = (LEFT + step * number as f64, bottom - point * scale);
        format!("{x:.1},{y:.1}")
    });
    let places = places.collect::<Vec<_>>().join(" ");
    let (above, below_top) = (top - 6.0, top + 5.0);
    format!(
        r##"<text x="{LEFT}" y="{above}" font-weight="bold">{name}</text>
<path d="M{LEFT} {top}H{RIGHT}M{LEFT} {bottom}H{RIGHT}" stroke="#7d838b" stroke-opacity="0.4"/>
<text x="{left}" y="{below_top}" text-anchor="end">{most:.1}</text><text x="{left}" y="{bottom}" text-anchor="end">0</text>
<polyline points="{places}" fill="none" stroke="#2f81c7" stroke-width="1.5"/>
"##
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_goes_from_left_to_right_with_its_highest_point_at_the_top() {
        let svg = plot(60, &[("ms", vec![5.0, 10.0, 0.0])]);
        // 26 above the panel, and 120 of the panel.
        assert!(
            svg.contains("points=\"70.0,86.0 390.0,26.0 710.0,146.0\""),
            "{svg}"
        );
        assert!(svg.contains(">60 min<") && svg.contains(">10.0<"), "{svg}");
    }
}
