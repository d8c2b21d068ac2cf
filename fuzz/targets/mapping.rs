//! Four lines: a rule's `from` and `to`, and two names.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (from, to, one, other) = (line(), line(), line(), line());
    properties::mapping::any_rule(from, to, one, other);
    properties::user::any_two(one, other);
});
