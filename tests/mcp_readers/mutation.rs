//! Messages of MCP as an attacker writes them: each is nearly one that passes.

/// Keys of a message and of its params, and letters that some readers take for theirs.
const LETTERS: [(char, &str); 6] = [
    ('s', "\u{17f}"),
    ('k', "\u{212a}"),
    ('m', "M"),
    ('n', "N"),
    ('a', "A"),
    ('i', "\u{131}"),
];

/// Values that readers read in several ways, or not at all.
const ODD_VALUES: [&str; 18] = [
    "1e400",
    "-0",
    "123456789012345678901234567890",
    "0.1e-400",
    "NaN",
    "Infinity",
    "01",
    "+1",
    "1.",
    "true",
    "null",
    "[]",
    "{}",
    r#""\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\u0000""#,
    r#""\x41""#,
    "\"\u{2028}\u{feff}\"",
];

const METHODS: [&str; 8] = [
    "tools/call",
    "tools/call",
    "tools/call",
    "tools/list",
    "prompts/get",
    "resources/read",
    "notifications/initialized",
    "Tools/Call",
];

const NAMES: [&str; 8] = [
    "search_web",
    "search_web",
    "delete",
    "delete",
    "Search_web",
    "search_\u{65e5}\u{672c}",
    "search_web\u{301}",
    "",
];

/// What stands between two tokens, or should not.
const GAPS: [&str; 12] = [
    " ", "\n", "\t\r", "\u{b}", "\u{a0}", "\u{feff}", "/**/", "//\n", ",", "\0", ";", "\u{2028}",
];

/// A source of numbers that gives the same ones for the same seed (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn chance(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }
}

/// An object as it is written: raw texts of keys and values.
type Object = Vec<(String, String)>;

/// The next message.
pub(crate) fn message(numbers: &mut Numbers) -> Vec<u8> {
    let method = numbers.one(&METHODS);
    let key = if method == "resources/read" {
        "uri"
    } else {
        "name"
    };
    let mut params: Object = vec![
        (quoted(key), quoted(numbers.one(&NAMES))),
        (
            quoted("arguments"),
            r#"{"name":"delete","q":[1,{"method":"x"}]}"#.to_owned(),
        ),
    ];
    let mut message: Object = vec![
        (quoted("jsonrpc"), quoted("2.0")),
        (
            quoted("id"),
            numbers.one(&["1", "\"a\"", "null", "-1.5e3"]).to_owned(),
        ),
        (quoted("method"), quoted(method)),
    ];
    for _ in 0..numbers.below(3) {
        match numbers.chance(2) {
            true => change(numbers, &mut params),
            false => change(numbers, &mut message),
        }
    }
    if !numbers.chance(10) {
        message.push((quoted("params"), written(numbers, &params)));
    }
    if numbers.chance(20) {
        message.push((quoted("result"), "{}".to_owned()));
        if numbers.chance(2) {
            message.retain(|(key, _)| key != "\"method\"");
        }
    }
    let text = written(numbers, &message);
    damaged(numbers, text)
}

fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

fn written(numbers: &mut Numbers, object: &Object) -> String {
    let mut text = "{".to_owned();
    for (place, (key, value)) in object.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        for part in [key, ":", value] {
            if numbers.chance(12) {
                text += numbers.one(&GAPS[..3]);
            }
            text += part;
        }
    }
    text + "}"
}

fn change(numbers: &mut Numbers, object: &mut Object) {
    let place = numbers.below(object.len());
    let (key, value) = object[place].clone();
    match numbers.below(9) {
        0 => object.push((key, quoted(numbers.one(&NAMES)))),
        1 => object.push((escaped(numbers, &key), quoted(numbers.one(&NAMES)))),
        2 => object.push((respelt(numbers, &key), quoted(numbers.one(&NAMES)))),
        3 => object[place].0 = escaped(numbers, &key),
        4 => object[place].1 = escaped(numbers, &value),
        5 => object[place].0 = respelt(numbers, &key),
        6 => object[place].1 = numbers.one(&ODD_VALUES).to_owned(),
        7 => object.push((quoted("x"), nested(numbers))),
        _ => object.reverse(),
    }
}

/// One letter in the form `\u0061`.
fn escaped(numbers: &mut Numbers, text: &str) -> String {
    let letters: Vec<_> = text
        .char_indices()
        .filter(|(_, it)| it.is_ascii_alphabetic())
        .collect();
    if letters.is_empty() {
        return text.to_owned();
    }
    let (at, letter) = numbers.one(&letters);
    let code = u32::from(letter);
    let escape = if numbers.chance(2) {
        format!("\\u{code:04x}")
    } else {
        format!("\\u{code:04X}")
    };
    format!("{}{escape}{}", &text[..at], &text[at + 1..])
}

/// One letter in its other case.
fn respelt(numbers: &mut Numbers, text: &str) -> String {
    let (letter, other) = numbers.one(&LETTERS);
    match text.contains(letter) {
        true => text.replacen(letter, other, 1),
        false => text.to_uppercase(),
    }
}

fn nested(numbers: &mut Numbers) -> String {
    let depth = numbers.one(&[1, 2, 61, 62, 63, 64, 200]);
    let inner = numbers.one(&ODD_VALUES);
    format!("{}{inner}{}", "[".repeat(depth), "]".repeat(depth))
}

/// In one of four, something that is no matter of keys and values.
fn damaged(numbers: &mut Numbers, text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    if !numbers.chance(4) {
        return bytes;
    }
    let at = numbers.below(bytes.len());
    match numbers.below(8) {
        0 => bytes[at] ^= numbers.one(&[1, 0x20, 0x80, 0xff]),
        1 => drop(bytes.remove(at)),
        2 => bytes.truncate(at),
        3 => drop(bytes.splice(at..at, numbers.one(&GAPS).bytes())),
        4 => bytes = [b"[", &bytes[..], b"]"].concat(),
        5 => bytes = [&bytes[..], numbers.one(&GAPS).as_bytes(), &bytes].concat(),
        6 => bytes = [numbers.one(&GAPS).as_bytes(), &bytes].concat(),
        _ => bytes.extend(numbers.one(&GAPS).bytes()),
    }
    bytes
}
