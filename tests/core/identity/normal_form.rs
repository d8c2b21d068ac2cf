//! Users outside ASCII: what Python makes of them, with unicodedata and str.lower.

use std::path::Path;
use std::process::Command;

use mtls_identity::identity::{Charset, User, UserError};

/// Texts, and the user that each is.
fn texts() -> Vec<(String, Option<String>)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/identity/normal_form.py");
    let output = Command::new("python3").arg(script).output();
    let output = output.expect("python3 is on PATH: install it");
    assert!(
        output.status.success(),
        "tests/core/identity/normal_form.py failed"
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let text = |numbers: &str| -> String {
        let number = |digits| u32::from_str_radix(digits, 16).unwrap();
        let characters = numbers.split(' ').map(|it| char::from_u32(number(it)));
        characters.map(Option::unwrap).collect()
    };
    let line = |line: &str| {
        let (numbers, user) = line.split_once('|').unwrap();
        (text(numbers), (user != "-").then(|| text(user)))
    };
    lines.lines().map(line).collect()
}

#[test]
fn a_name_outside_ascii_is_the_user_that_python_makes_of_it() {
    let mut users = 0;
    let mut refused = 0;
    for (text, expected) in texts() {
        match User::parse(&text, Charset::Utf8) {
            Ok(user) => {
                let found = Some(user.as_str());
                assert_eq!(found, expected.as_deref(), "{}", text.escape_unicode());
                users += 1;
            }
            Err(UserError::NotNormal | UserError::Compatibility(_) | UserError::Lowercase(_)) => {
                assert_eq!(expected, None, "{}", text.escape_unicode());
                refused += 1;
            }
            // Refused for its characters, whatever its form.
            Err(_) => {}
        }
    }
    assert!(users > 100_000 && refused > 10_000, "{users} {refused}");
}
