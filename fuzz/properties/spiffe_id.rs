//! SPIFFE IDs: the text of one is the ID, and there is one way to make it.

use mtls_identity::certificate::SpiffeId;
use mtls_identity::identity::{Charset, MAXIMUM_USER, User};

/// For any text.
pub fn any_text(text: &str) {
    let id = SpiffeId::parse(text);
    assert_eq!(id.is_ok(), is_of_the_grammar(text), "{text:?}");
    let configured = SpiffeId::try_from(text.to_owned());
    assert_eq!(
        configured.ok(),
        id.clone().ok(),
        "two constructors of {text:?}"
    );
    let Ok(id) = id else {
        return;
    };
    assert_eq!((id.as_str(), &*id.to_string()), (text, text));
    assert!(SpiffeId::is_claimed_by(text));
    let user = User::parse(text, Charset::Ascii).map(|user| user.to_string());
    assert!(text.len() > MAXIMUM_USER || user.as_deref() == Ok(text));
}

/// The SPIFFE-ID standard, sections 2.1 to 2.3, said in another way than the parser's.
fn is_of_the_grammar(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("spiffe://") else {
        return false;
    };
    let (domain, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/".contains(&byte);
    let segments = format!("{path}/");
    text.len() <= 2048
        && rest.bytes().all(allowed)
        && !domain.bytes().any(|byte| byte.is_ascii_uppercase())
        && !domain.is_empty()
        && domain.len() <= 255
        && !["//", "/./", "/../"]
            .iter()
            .any(|bad| segments.contains(bad))
}
