//! The outcomes as the README shows them.

use crate::Row;
use crate::product::NAMES;
use crate::visitor::{Comes, Forges};

/// Two tables in one: the certificates, and the headers that a client with a good certificate forges.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let (headers, certificates): (Vec<_>, Vec<_>) = rows
        .iter()
        .partition(|(visitor, _)| visitor.forges == Forges::Only);
    let certificates = table("certificate", &certificates);
    let headers = table("`alice` forges", &headers);
    format!("{certificates}\n{headers}")
}

fn table(first: &str, rows: &[&Row]) -> String {
    let head = line(std::iter::once(first).chain(NAMES).map(str::to_owned));
    let rule = "|---".repeat(NAMES.len() + 1) + "|\n";
    let rows = rows.iter().map(|(visitor, outcomes)| {
        let expired = matches!(visitor.comes, Comes::AndStays(_));
        let cells = outcomes.iter().map(|outcome| outcome.cell(expired));
        line(std::iter::once(visitor.is.to_owned()).chain(cells))
    });
    head + &rule + &rows.collect::<String>()
}

fn line(cells: impl Iterator<Item = String>) -> String {
    cells.map(|cell| format!("| {cell} ")).collect::<String>() + "|\n"
}
