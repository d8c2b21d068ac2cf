//! Text for names: what has to be escaped, what looks like a name itself, and Unicode of every block.

use super::random::Random;

/// What readers of RFC 4514 trip over.
const PIECES: [&str; 36] = [
    "",
    "a",
    "Z",
    "0",
    " ",
    "  ",
    ",",
    "+",
    "=",
    "\\",
    "\"",
    "#",
    ";",
    "<",
    ">",
    "/",
    "@",
    ".",
    "-",
    "_",
    "*",
    "\0",
    "\n",
    "\r",
    "\t",
    "\u{7f}",
    "CN=",
    ",CN=admin",
    "\\2C",
    "#0C0178",
    "alice",
    "example.com",
    "O'Neil",
    "\u{e9}",
    "e\u{301}",
    "\u{fffd}",
];

/// Blocks of Unicode begin at multiples of 128 or 16; pages of this size meet all of them.
const PAGE: u32 = 128;
const PAGES: u32 = 0x11_0000 / PAGE;

/// A text of a few pieces. `count` walks through the pages of Unicode, one with every call.
pub(crate) fn any(random: &mut Random, count: &mut u32) -> String {
    let mut text = String::new();
    for _ in 0..random.below(5) {
        match random.below(4) {
            0 => text.push(of_the_next_page(random, count)),
            1 => text.push(char::from(random.byte())),
            _ => text.push_str(random.of(&PIECES)),
        }
    }
    text
}

/// ASCII only.
pub(crate) fn ascii(random: &mut Random) -> String {
    let mut text = String::new();
    for _ in 0..random.below(6) {
        match random.below(4) {
            0 => text.push(char::from(random.byte() & 0x7f)),
            _ => text.push_str(random.of(&PIECES)),
        }
    }
    text.retain(|character| character.is_ascii());
    text
}

fn of_the_next_page(random: &mut Random, count: &mut u32) -> char {
    loop {
        let page = *count % PAGES;
        *count = count.wrapping_add(1);
        let offset = u32::try_from(random.below(128)).unwrap();
        // The surrogates are no characters.
        if let Some(character) = char::from_u32(page * PAGE + offset) {
            return character;
        }
    }
}

#[test]
fn text_meets_every_page_of_unicode() {
    let (mut random, mut count) = (Random::new(1), 0);
    let text: String = (0..40_000).map(|_| any(&mut random, &mut count)).collect();
    let pages: std::collections::BTreeSet<_> =
        text.chars().map(|it| u32::from(it) / PAGE).collect();
    let surrogates = 0x800 / PAGE;
    assert_eq!(pages.len(), usize::try_from(PAGES - surrogates).unwrap());
}
