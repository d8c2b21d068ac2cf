//! Whether a user is in Unicode normal form NFKC, against the unicodedata of Python.

use std::path::Path;
use std::process::Command;

use mtls_identity::identity::{Charset, User, UserError};

/// Texts, and whether each is in the normal form.
fn texts() -> Vec<(String, bool)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/normal_form.py");
    let output = Command::new("python3").arg(script).output();
    let output = output.expect("python3 is on PATH: install it");
    assert!(output.status.success(), "tests/core/normal_form.py failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let text = |line: &str| {
        let (numbers, is_normal) = line.rsplit_once(' ').unwrap();
        let number = |digits| u32::from_str_radix(digits, 16).unwrap();
        let characters = numbers
            .split(' ')
            .map(|it| char::from_u32(number(it)).unwrap());
        (characters.collect(), is_normal == "True")
    };
    lines.lines().map(text).collect()
}

#[test]
fn a_user_is_in_normal_form_by_pythons_unicodedata_as_well() {
    let mut users = 0;
    let mut refused = 0;
    for (text, is_normal) in texts() {
        match User::parse(&text, Charset::Utf8) {
            Ok(user) => {
                assert!(is_normal, "{} is a user", text.escape_unicode());
                assert_eq!(user.as_str(), text);
                users += 1;
            }
            Err(UserError::NotNormal) => {
                assert!(!is_normal, "{} is none", text.escape_unicode());
                refused += 1;
            }
            // Refused for its characters, whatever its form.
            Err(_) => {}
        }
    }
    assert!(users > 100_000 && refused > 10_000, "{users} {refused}");
}
