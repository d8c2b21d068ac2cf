//! Users: case, white space and Unicode make neither two of one nor one of two.

use mtls_identity::identity::{Charset, MAXIMUM_USER, User, is_uri};
use unicode_normalization::UnicodeNormalization;

/// For any two texts.
pub fn any_two(one: &str, other: &str) {
    for charset in [Charset::Ascii, Charset::Utf8] {
        let users = (User::parse(one, charset), User::parse(other, charset));
        if is_one_name(one, other) {
            assert_eq!(users.0, users.1, "{one:?} {other:?}");
        } else if let (Ok(user), Ok(another)) = &users {
            assert_ne!(user, another, "{one:?} {other:?}");
        }
        for user in users.0.iter().chain(&users.1) {
            is_canonical(user, charset);
        }
    }
    let (ascii, utf8) = (
        User::parse(one, Charset::Ascii),
        User::parse(one, Charset::Utf8),
    );
    assert!(
        ascii.is_err() || ascii == utf8,
        "the charset changes {one:?}"
    );
}

/// What a name is by definition: a URI is itself, anything else has no case in ASCII.
fn is_one_name(one: &str, other: &str) -> bool {
    let has_no_case = !is_uri(one) && !is_uri(other);
    one == other || (has_no_case && one.eq_ignore_ascii_case(other))
}

/// For a user that goes into the header: whoever reads it reads the same, also who trims it or puts it into
/// lower case as Python does.
pub fn is_canonical(user: &User, charset: Charset) {
    let text = user.as_str();
    assert_eq!(
        User::parse(text, charset).as_ref(),
        Ok(user),
        "not idempotent"
    );
    assert!((1..=MAXIMUM_USER).contains(&text.len()), "{text:?}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(charset == Charset::Utf8 || text.is_ascii(), "{text:?}");
    assert_eq!(text.trim(), text);
    assert!(text.nfkc().eq(text.chars()), "{text:?} has another writing");
    let upper = User::parse(&text.to_ascii_uppercase(), charset);
    if is_uri(text) {
        assert!(
            upper.is_err() || text.to_ascii_uppercase() == text,
            "{text:?}"
        );
    } else {
        assert_eq!(text.to_lowercase(), text);
        assert_eq!(upper.as_ref(), Ok(user));
    }
}
