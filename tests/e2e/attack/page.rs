//! `tests/ATTACKS.md`: every test that it names is there.

use std::fs;
use std::path::Path;

use crate::harness::artifacts::repository;

/// The names of all functions in the Rust files of a folder and its folders.
fn functions(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.split("fn ").skip(1);
            found.extend(
                names
                    .filter_map(|rest| rest.split(['(', '<']).next())
                    .map(str::to_owned),
            );
        }
    }
}

/// What stands in backquotes and is written as a test's name: words with `_`, at least three of them.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|text| {
        let is_name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
        text.matches('_').count() >= 3 && text.chars().all(is_name)
    })
}

/// The rows of the table under this heading, but for the lines that only name a theme.
fn rows<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let (_, rest) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| "));
    rows.skip(1)
        .filter(|row| !row.ends_with("| no test of its own |"))
        .collect()
}

#[test]
fn every_line_of_the_page_names_its_test_and_every_test_is_there() {
    let page = fs::read_to_string(repository().join("tests/ATTACKS.md")).unwrap();
    let mut there = Vec::new();
    for folder in ["tests", "src"] {
        functions(&repository().join(folder), &mut there);
    }
    let tried = rows(&page, "What was tried");
    assert!(tried.len() >= 40, "{}", tried.len());
    let in_mesh = rows(&page, "What was tried in a real mesh");
    assert!(in_mesh.len() >= 10, "{}", in_mesh.len());
    let second = rows(&page, "The second attack");
    assert!(second.len() >= 8, "{}", second.len());
    let third = rows(&page, "The third attack");
    assert!(third.len() >= 8, "{}", third.len());
    let fifth = rows(&page, "The fifth attack");
    assert!(fifth.len() >= 8, "{}", fifth.len());
    for row in [tried, in_mesh, second, third, fifth].concat() {
        let mut names = named(row).peekable();
        assert!(names.peek().is_some(), "no test: {row}");
        for name in names {
            assert!(there.iter().any(|it| it == name), "{name}");
        }
    }
}
