//! The page as a list of commands and what they print.

use std::fs;

use crate::harness::artifacts::repository;

/// Commands, and the lines that they print among others.
pub(crate) struct Example {
    pub(crate) line: usize,
    pub(crate) commands: String,
    printed: Vec<String>,
}

pub(crate) fn page() -> String {
    fs::read_to_string(repository().join("envoy/TROUBLESHOOTING.md")).unwrap()
}

/// Every block of commands with the block of text that follows.
pub(crate) fn examples() -> Vec<Example> {
    let page = page();
    let blocks = blocks(&page);
    let commands = blocks.iter().enumerate();
    let commands = commands.filter(|(_, block)| block.language == "sh");
    commands
        .map(|(index, commands)| {
            let printed = &blocks[index + 1];
            assert_eq!(printed.language, "text", "behind line {}", commands.line);
            Example {
                line: commands.line,
                commands: commands.content.clone(),
                printed: printed.content.lines().map(str::to_owned).collect(),
            }
        })
        .collect()
}

struct Block<'a> {
    line: usize,
    language: &'a str,
    content: String,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    line: index + 1,
                    language,
                    content: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.content += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block that does not end");
    blocks
}

impl Example {
    /// The first line of the page that is not in what was printed, in order; others may stand between.
    pub(crate) fn missing(&self, printed: &str) -> Option<&str> {
        let mut lines = printed.lines();
        let missing = |form: &&String| !lines.any(|line| fits(form, line));
        self.printed.iter().find(missing).map(String::as_str)
    }
}

/// Whether a line is of this form; `…` is any text.
fn fits(form: &str, line: &str) -> bool {
    let (first, others) = form.split_once('…').unwrap_or((form, ""));
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    if first == form {
        return rest.is_empty();
    }
    let mut parts: Vec<_> = others.split('…').collect();
    let last = parts.pop().unwrap_or("");
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn a_form_fits_a_line_and_no_other() {
    for (form, line, expected) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("…b", "abc", false),
        ("a…c…", "abcd", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("a…", "ba", false),
    ] {
        assert_eq!(fits(form, line), expected, "{form} {line}");
    }
}
