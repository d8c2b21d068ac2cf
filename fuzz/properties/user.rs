//! Users: case, white space and Unicode make neither two of one nor one of two.

use mtls_identity::identity::{Charset, MAXIMUM_USER, User, is_uri};
use unicode_normalization::UnicodeNormalization;

/// For any two texts.
pub fn any_two(one: &str, other: &str) {
    for charset in [Charset::Ascii, Charset::Utf8] {
        let users = (User::parse(one, charset), User::parse(other, charset));
        let is_one = is_one_name(one, other);
        match &users {
            (Ok(user), Ok(another)) => assert_eq!(user == another, is_one, "{one:?} {other:?}"),
            (Err(_), Err(_)) => {}
            // Of one name that is written in two ways, one way may be refused (SPIFFE), but it names nobody else.
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => assert_ne!(one, other),
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

/// What a name is by definition: what is no URI has no case; of a URI the scheme has none, the host, and the namespace of a
/// URN.
pub fn is_one_name(one: &str, other: &str) -> bool {
    match (is_uri(one), is_uri(other)) {
        (false, false) => one.to_lowercase() == other.to_lowercase(),
        (true, true) => without_case(one) == without_case(other),
        (true, false) | (false, true) => false,
    }
}

/// The parts of a URI: those without case in upper case.
fn without_case(uri: &str) -> [String; 4] {
    let (scheme, rest) = uri.split_once(':').unwrap();
    let upper = |text: &str| text.to_ascii_uppercase();
    let Some(behind) = rest.strip_prefix("//") else {
        let is_urn = scheme.eq_ignore_ascii_case("urn");
        let (namespace, name) = rest.split_once(':').unwrap_or((rest, "\0"));
        let namespace = if is_urn {
            upper(namespace)
        } else {
            namespace.to_owned()
        };
        return [upper(scheme), "\0".to_owned(), namespace, name.to_owned()];
    };
    let end = behind.find(['/', '?', '#']).unwrap_or(behind.len());
    let (authority, path) = behind.split_at(end);
    let (user, host) = authority.rsplit_once('@').unwrap_or(("\0", authority));
    [upper(scheme), user.to_owned(), upper(host), path.to_owned()]
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
        let is_near = |other: &User| other.as_str().eq_ignore_ascii_case(text);
        assert!(upper.as_ref().map_or(true, is_near), "{text:?}");
    } else {
        assert_eq!(text.to_lowercase(), text);
        assert_eq!(upper.as_ref(), Ok(user));
    }
}
