//! The head of a request, read where proxy-wasm has written it.

use crate::request::header_name::starts_with;
use crate::request::path::RequestPath;

/// A header: its name in lower case, and its value.
pub type Field<'a> = (&'a [u8], &'a [u8]);

/// The head of a request: its headers with names in lower case, pseudo-headers among them.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    fields: Fields<'a>,
}

impl<'a> RequestHead<'a> {
    /// Reads a header map in the form of the proxy-wasm ABI 0.2.1: a count, the lengths of each name and value, and then
    /// each of them with a NUL behind it; numbers of four bytes, the least significant first. No bytes are no headers.
    ///
    /// None when the bytes are anything else.
    pub fn read(map: &'a [u8]) -> Option<Self> {
        if map.is_empty() {
            return Some(Self {
                fields: Fields::default(),
            });
        }
        let (count, rest) = map.split_first_chunk()?;
        let size = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        let (lengths, texts) = rest.split_at_checked(size.checked_mul(LENGTHS)?)?;
        let fields = Fields { lengths, texts };
        let mut all = fields;
        while all.next().is_some() {}
        let is_whole = all.lengths.is_empty() && all.texts.is_empty();
        is_whole.then_some(Self { fields })
    }

    /// Whether there are no headers at all.
    pub fn is_empty(&self) -> bool {
        self.fields.lengths.is_empty()
    }

    /// All names and values, in their order.
    pub fn entries(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.fields
    }

    /// The bytes of all names and values together.
    pub fn size(&self) -> u64 {
        let sizes = self.fields.map(|(name, value)| name.len() + value.len());
        sizes.sum::<usize>() as u64
    }

    /// All names, in their order.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> {
        self.fields.map(|(name, _)| name)
    }

    /// The values of a header, in their order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.fields.filter(move |(key, _)| *key == name.as_bytes());
        named.map(|(_, value)| value)
    }

    /// The same, of all spellings of a folded name.
    pub(crate) fn values_in_any_spelling(&self, folded: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self
            .fields
            .filter(move |(name, _)| name.len() == folded.len() && starts_with(name, folded));
        named.map(|(_, value)| value)
    }

    /// The first value of a header; no bytes if there is none.
    pub fn first(&self, name: &str) -> &'a [u8] {
        self.values(name).next().unwrap_or_default()
    }

    /// Whether the request asks for another protocol on its connection (RFC 9110 section 7.8, RFC 8441 section 4).
    pub fn is_upgrade(&self) -> bool {
        let mut options = self
            .values("connection")
            .flat_map(|value| value.split(|&byte| byte == b','));
        let is_asked = options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"));
        is_asked && !self.first("upgrade").is_empty()
    }

    /// The path of the request, without its query.
    pub fn path(&self) -> RequestPath<'a> {
        RequestPath::new(self.first(":path"))
    }

    /// X-Forwarded-Client-Cert, repeated ones as one (RFC 9110 section 5.3).
    pub fn forwarded(&self) -> Option<Vec<u8>> {
        self.joined("x-forwarded-client-cert")
    }

    /// The values of a header as one, with commas between them (RFC 9110 section 5.3); none if there is none.
    pub fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<_> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(&b","[..]))
    }
}

/// The bytes of the lengths of a name and its value.
const LENGTHS: usize = 8;

/// The fields of a header map, one after the other; none after one that is not whole.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    lengths: &'a [u8],
    texts: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let (&[a, b, c, d, e, f, g, h], lengths) = self.lengths.split_first_chunk::<LENGTHS>()?;
        let (name, texts) = text(self.texts, u32::from_le_bytes([a, b, c, d]))?;
        let (value, texts) = text(texts, u32::from_le_bytes([e, f, g, h]))?;
        *self = Self { lengths, texts };
        Some((name, value))
    }
}

fn text(texts: &[u8], length: u32) -> Option<(&[u8], &[u8])> {
    let (text, rest) = texts.split_at_checked(usize::try_from(length).ok()?)?;
    match rest.split_first()? {
        (0, rest) => Some((text, rest)),
        _ => None,
    }
}

/// Writes a header map as [`RequestHead::read`] reads it.
pub fn write_map<'a>(fields: impl IntoIterator<Item = Field<'a>> + Clone) -> Vec<u8> {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = number(fields.clone().into_iter().count()).to_vec();
    for (name, value) in fields.clone() {
        bytes.extend_from_slice(&number(name.len()));
        bytes.extend_from_slice(&number(value.len()));
    }
    for (name, value) in fields {
        for text in [name, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field<'static>; 4] = [
        (b":path", b"/a?b"),
        (b"accept", b""),
        (b"x-nul", b"a\0b"),
        (b"x-byte", b"\xff"),
    ];

    fn read(map: &[u8]) -> Option<Vec<Field<'_>>> {
        RequestHead::read(map).map(|head| head.fields.collect())
    }

    #[test]
    fn a_map_is_read_as_it_was_written() {
        for count in 0..=FIELDS.len() {
            let fields = FIELDS[..count].to_vec();
            assert_eq!(read(&write_map(fields.clone())).unwrap(), fields);
        }
        assert_eq!(read(b"").unwrap(), []);
        let one = b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0";
        assert_eq!(read(one).unwrap(), [(&b"a"[..], &b"bc"[..])]);
    }

    #[test]
    fn no_byte_may_be_missing_or_too_many() {
        let whole = write_map(FIELDS);
        for length in 1..whole.len() {
            assert_eq!(read(&whole[..length]), None, "{length}");
        }
        assert_eq!(read(&[&whole[..], b"x"].concat()), None);
        assert_eq!(read(&[0xff; 64]), None);
        let mut unfinished = whole;
        *unfinished.last_mut().unwrap() = b'x';
        assert_eq!(read(&unfinished), None);
    }

    #[test]
    fn repeated_elements_of_a_proxy_are_one_list() {
        let name = &b"x-forwarded-client-cert"[..];
        let map = write_map([(name, &b"By=a"[..]), (b"accept", b"x"), (name, b"By=b")]);
        let head = RequestHead::read(&map).unwrap();
        assert_eq!(head.forwarded().unwrap(), b"By=a,By=b");
        assert_eq!(head.first("accept"), b"x");
        assert_eq!(head.first("absent"), b"");
        assert_eq!(RequestHead::read(b"").unwrap().forwarded(), None);
    }
}
