//! The forms that names of subjectAltName must have to name somebody.

use crate::identity::user::is_uri;

/// Whether text is a mailbox of RFC 5321 section 4.1.2 in its plain form: no quotes, no comments, no
/// address literal, so that there is one way to write it.
pub fn is_email(text: &str) -> bool {
    text.is_ascii() && is_upn(text)
}

/// Whether text is a user principal name of Microsoft's: in the form of [`is_email`], but letters outside ASCII may stand
/// before the `@`. Which of them `identity.charset` decides.
pub fn is_upn(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_letter = |letter: char| {
        letter.is_ascii_alphanumeric()
            || "!#$%&'*+-/=?^_`{|}~".contains(letter)
            || (!letter.is_ascii() && letter.is_alphanumeric())
    };
    let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_letter);
    local.chars().count() <= 64 && local.split('.').all(is_atom) && is_host_name(domain)
}

/// Whether text is a host name: labels of letters, digits, `-` and `_` (RFC 1123 section 2.1), at most 253
/// bytes, without a dot at the end and without a wildcard.
pub fn is_host_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Whether text is of the characters of RFC 3986 section 2, and names something by an authority, or is a `urn:`, `tag:`
/// or `did:` in any case.
pub fn is_identifying_uri(text: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let named = text.split_once(':').is_some_and(|(_, rest)| {
        let authority = rest.strip_prefix("//").unwrap_or(rest);
        !authority.is_empty() && !authority.starts_with(['/', '?', '#'])
    });
    is_uri(text) && named && text.bytes().all(allowed)
}

/// Whether a header's name is a token of RFC 9110 section 5.6.2.
pub fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_e_mail_address_has_one_form() {
        for (text, expected) in [
            ("a@b", true),
            ("John.Doe+x@Example.com", true),
            ("a@b@c", false),
            ("@b", false),
            ("a@", false),
            ("a", false),
            (".a@b", false),
            ("a..b@c", false),
            ("\"a b\"@c", false),
            ("a(b)@c", false),
            ("a@[127.0.0.1]", false),
            ("a@b.", false),
            ("a b@c", false),
        ] {
            assert_eq!(is_email(text), expected, "{text}");
        }
    }

    #[test]
    fn a_user_principal_name_has_one_at_sign() {
        for (text, expected) in [
            ("alice@corp.local", true),
            ("1234567890@mil", true),
            ("J\u{fc}rgen@corp.local", true),
            ("alice@c\u{fc}rp.local", false),
            ("alice", false),
            ("alice@", false),
            ("@corp.local", false),
            ("a@b@corp.local", false),
            ("a b@corp.local", false),
            ("a\u{a0}b@corp.local", false),
            ("a\u{200b}@corp.local", false),
            ("a\u{301}@corp.local", false),
            ("a\0@corp.local", false),
            ("a,b@corp.local", false),
            ("CORP\\alice@corp.local", false),
            ("alice.@corp.local", false),
            ("alice@corp.local.", false),
        ] {
            assert_eq!(is_upn(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_host_name_has_one_form() {
        for (text, expected) in [
            ("a", true),
            ("A-1.b_c.example.com", true),
            ("", false),
            ("a.", false),
            (".a", false),
            ("a..b", false),
            ("*.a", false),
            ("-a", false),
            ("a-.b", false),
            ("a/b", false),
            (&"a".repeat(64), false),
            (&"a.".repeat(127), false),
        ] {
            assert_eq!(is_host_name(text), expected, "{text}");
        }
    }

    #[test]
    fn a_uri_that_identifies_has_an_authority_or_is_a_urn() {
        for (text, expected) in [
            ("https://a.example/b?c=d#e", true),
            ("urn:uuid:1", true),
            ("URN:UUID:1", true),
            ("tag:microsoft.com,2022-09-14:sid:S-1-5-21", true),
            ("Tag:example.com,2026:a", true),
            ("did:web:example.com", true),
            ("DID:web:example.com", true),
            ("tag:", false),
            ("did:?a", false),
            ("tag:a b", false),
            ("spiffe://a/b", true),
            ("mailto:a@b", false),
            ("a/b", false),
            ("https://", false),
            ("https:///a", false),
            ("urn:", false),
            ("https://a/b c", false),
            ("https://a/\"", false),
            ("https://a/\\", false),
        ] {
            assert_eq!(is_identifying_uri(text), expected, "{text}");
        }
    }

    #[test]
    fn a_header_name_is_a_token() {
        assert!(is_token("X-SSL_Client.1"));
        for text in ["", "a b", "a:b", ":path", "a\n", "\u{e9}"] {
            assert!(!is_token(text), "{text}");
        }
    }
}
