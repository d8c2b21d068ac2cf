//! `identity.map`: two names never become one user, but where the rule itself says so.

use mtls_identity::identity::MapRule;
use mtls_identity::identity::{Charset, User};

use super::user;

/// For any rule and any two names.
pub fn any_rule(from: &str, to: &str, one: &str, other: &str) {
    let Ok(rule) = MapRule::parse(from, to) else {
        return;
    };
    for charset in [Charset::Ascii, Charset::Utf8] {
        let one = mapped(&rule, one, charset);
        let other = mapped(&rule, other, charset);
        for (name, user) in one.iter().chain(&other) {
            user::is_canonical(user, charset);
            what_is_used_are_whole_segments(from, to, name);
        }
        if let (Some((one, user)), Some((other, another))) = (one, other)
            && user == another
        {
            they_agree_in_what_is_used(from, to, &one, &other);
        }
    }
}

/// The name and the user that it is, if it is one by this rule.
fn mapped(rule: &MapRule, name: &str, charset: Charset) -> Option<(User, User)> {
    let name = User::parse(name, charset).ok()?;
    let user = rule.map(&name, charset)?.ok()?;
    Some((name, user))
}

fn what_is_used_are_whole_segments(from: &str, to: &str, name: &User) {
    for wildcard in wildcards(to) {
        let Some(segment) = segment(from, wildcard, name) else {
            continue;
        };
        let is_rest = wildcard.ends_with("...");
        assert!(
            !segment.is_empty() && (is_rest || !segment.contains(['/', '@'])),
            "{from} {segment}"
        );
    }
}

/// Two names that are one user are equal in each segment that `to` uses.
fn they_agree_in_what_is_used(from: &str, to: &str, one: &User, other: &User) {
    let used: Vec<&str> = wildcards(to).collect();
    for wildcard in &used {
        let segments = (segment(from, wildcard, one), segment(from, wildcard, other));
        assert_eq!(segments.0, segments.1, "{from} {to}");
    }
    if wildcards(from).all(|wildcard| used.contains(&wildcard)) {
        assert_eq!(one, other, "{from} {to}");
    }
}

/// What the wildcard stands for in a name. A URI keeps what it is given, so a rule can tell.
fn segment(from: &str, wildcard: &str, name: &User) -> Option<String> {
    const PREFIX: &str = "urn:segment:";
    let rule = MapRule::parse(from, &format!("{PREFIX}{{{wildcard}}}")).ok()?;
    let user = rule.map(name, Charset::Utf8)?.ok()?;
    user.as_str().strip_prefix(PREFIX).map(str::to_owned)
}

fn wildcards(pattern: &str) -> impl Iterator<Item = &str> {
    let behind = pattern.split('{').skip(1);
    behind.filter_map(|text| Some(text.split_once('}')?.0))
}
