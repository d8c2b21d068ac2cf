//! Unicode normal form NFKC (Unicode Standard Annex #15), asked for and never made.
//!
//! What answers this is a tenth of the tables that make the form: characters that are never in it, the order of
//! combining marks, and what is composed of what.

mod tables;

use std::cmp::Ordering;

use tables::{CHANGED, CLASSES, COMPOSITES};

/// Whether the text is its own NFKC. Characters that Unicode has not assigned are their own.
pub(crate) fn is_nfkc(text: &str) -> bool {
    if text.is_ascii() {
        return true;
    }
    if text.chars().any(is_changed) {
        return false;
    }
    // What is left is changed only by marks, and by what is composed with the character before.
    let is_inert = |character| class(character) == 0 && !is_second(character);
    text.chars().all(is_inert) || composed(&decomposed(text)).into_iter().eq(text.chars())
}

/// Whether the character alone is not its own NFKC.
fn is_changed(character: char) -> bool {
    let place = |&(first, last): &(char, char)| place_of_run(first, last, character);
    CHANGED.binary_search_by(place).is_ok()
}

/// Canonical_Combining_Class: 0 for a starter, which marks of other classes follow in the order of their classes.
fn class(character: char) -> u8 {
    let place = |&(first, last, _): &(char, char, u8)| place_of_run(first, last, character);
    let run = CLASSES.binary_search_by(place).ok();
    run.and_then(|run| CLASSES.get(run))
        .map_or(0, |&(.., class)| class)
}

/// Where a run of characters is, seen from one of them.
fn place_of_run(first: char, last: char, character: char) -> Ordering {
    match () {
        () if last < character => Ordering::Less,
        () if first > character => Ordering::Greater,
        () => Ordering::Equal,
    }
}

/// A character of a decomposed text, and its class.
type Decomposed = (char, u8);

/// The text with every composite taken apart, all marks in order.
fn decomposed(text: &str) -> Vec<Decomposed> {
    let mut decomposed = Vec::new();
    for character in text.chars() {
        decompose(character, &mut decomposed);
    }
    decomposed
}

fn decompose(character: char, before: &mut Vec<Decomposed>) {
    for &(second, of_second) in COMPOSITES {
        if let Some((first, _)) = pairs(of_second).find(|&(_, composite)| composite == character) {
            decompose(first, before);
            return decompose(second, before);
        }
    }
    let class = class(character);
    let place = match class {
        0 => before.len(),
        // Behind the last that is a starter or of no higher class.
        _ => before
            .iter()
            .rposition(|&(_, other)| other <= class)
            .map_or(0, |last| last + 1),
    };
    before.insert(place, (character, class));
}

/// The Canonical Composition Algorithm: each character joins the last starter if they have a composite, and nothing
/// of its own class or a higher one stands between them.
fn composed(decomposed: &[Decomposed]) -> Vec<char> {
    let mut composed: Vec<char> = Vec::new();
    let mut starter = None;
    let mut between = None;
    for &(character, class) in decomposed {
        let is_blocked = between.is_some_and(|between| between >= class);
        let base = starter
            .and_then(|place: usize| composed.get_mut(place))
            .filter(|_| !is_blocked);
        if let Some(base) = base
            && let Some(composite) = composite(*base, character)
        {
            *base = composite;
            continue;
        }
        between = (class != 0).then_some(class);
        if class == 0 {
            starter = Some(composed.len());
        }
        composed.push(character);
    }
    composed
}

/// Whether the character is the second of a composite.
fn is_second(character: char) -> bool {
    let is_jamo = ('\u{1161}'..='\u{1175}').contains(&character)
        || ('\u{11a8}'..='\u{11c2}').contains(&character);
    is_jamo || of_second(character).is_some()
}

/// The one character that Unicode has for two.
fn composite(first: char, second: char) -> Option<char> {
    let Some(of_second) = of_second(second) else {
        return syllable(first, second);
    };
    let pair = pairs(of_second).find(|&(other, _)| other == first);
    pair.map(|(_, composite)| composite)
}

/// The Hangul syllable of a leading consonant and a vowel, or of a syllable that ends in its vowel and a trailing
/// consonant (The Unicode Standard, section 3.12).
fn syllable(first: char, second: char) -> Option<char> {
    const SYLLABLES: u32 = 0xac00;
    const VOWELS: u32 = 21;
    const TRAILING: u32 = 28;
    let (code, other) = (u32::from(first), u32::from(second));
    match (first, second) {
        ('\u{1100}'..='\u{1112}', '\u{1161}'..='\u{1175}') => {
            char::from_u32(SYLLABLES + ((code - 0x1100) * VOWELS + other - 0x1161) * TRAILING)
        }
        ('\u{ac00}'..='\u{d7a3}', '\u{11a8}'..='\u{11c2}')
            if (code - SYLLABLES).is_multiple_of(TRAILING) =>
        {
            char::from_u32(code + other - 0x11a7)
        }
        _ => None,
    }
}

/// The composites of a second character, each behind its first.
fn pairs(of_second: &str) -> impl Iterator<Item = (char, char)> {
    let mut characters = of_second.chars();
    std::iter::from_fn(move || Some((characters.next()?, characters.next()?)))
}

/// What Unicode composes with this character as the second.
fn of_second(second: char) -> Option<&'static str> {
    let place = COMPOSITES.binary_search_by_key(&second, |&(second, _)| second);
    place
        .ok()
        .and_then(|place| COMPOSITES.get(place))
        .map(|&(_, pairs)| pairs)
}

#[cfg(test)]
mod tests;
