//! The README's chart: a bar for each row.

use std::fmt::Write;

use crate::harness::artifacts::repository;
use crate::table::Table;

const BAR: usize = 18;
const LEFT: usize = 130;
const MICROSECOND: f64 = 20.0;

/// Writes `benches/cost.svg`.
pub(crate) fn write(table: &Table) {
    let path = repository().join("benches/cost.svg");
    std::fs::write(&path, svg(table)).unwrap();
    println!("written: {}", path.display());
}

fn svg(table: &Table) -> String {
    let bars: Vec<_> = table.added().collect();
    let longest = bars.iter().map(|(_, added)| *added).fold(0.0, f64::max);
    let width = LEFT as f64 + longest * MICROSECOND + 80.0;
    let height = bars.len() * BAR + 30;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"4\" y=\"16\">µs of CPU that a filter adds to a request</text>\n"
    );
    for (place, (name, added)) in bars.into_iter().enumerate() {
        let top = 24 + place * BAR;
        let base = top + 12;
        let length = added.max(0.0) * MICROSECOND;
        let end = LEFT as f64 + length + 6.0;
        let colour = if is_other(name) { "#999999" } else { "#2f6db3" };
        writeln!(
            text,
            "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{name}</text>\
             <rect x=\"{LEFT}\" y=\"{top}\" width=\"{length:.0}\" height=\"14\" fill=\"{colour}\"/>\
             <text x=\"{end:.0}\" y=\"{base}\">{added:.1}</text>",
            LEFT - 6
        )
        .unwrap();
    }
    text.push_str("</svg>\n");
    text
}

fn is_other(name: &str) -> bool {
    name.starts_with("lua") || name.starts_with("envoy")
}
