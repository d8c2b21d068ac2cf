//! Serial numbers as people write them into `revoked`: every number that a text could be printed for, and no other.

use mtls_identity::certificate::{PeerCertificate, SerialNumber};

/// Longer texts are no serial numbers of anybody, and take the square of their length.
const MAXIMUM: usize = 2_000;

/// For any text.
pub fn any_text(text: &str) {
    if text.len() > MAXIMUM {
        return;
    }
    let readings = SerialNumber::readings(text);
    let printed: Vec<_> = readings.iter().map(ToString::to_string).collect();
    assert_eq!(printed, expected(text), "{text:?}");
    readings.iter().for_each(is_read_as_it_is_printed);
}

/// What `mtls-identity inspect` and the record print revokes the certificate.
pub fn of_a_certificate(certificate: &PeerCertificate) {
    is_read_as_it_is_printed(certificate.serial());
}

fn is_read_as_it_is_printed(number: &SerialNumber) {
    let printed = number.to_string();
    let (sign, digits) = match printed.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", &*printed),
    };
    for text in [printed.clone(), printed.to_uppercase()] {
        assert!(SerialNumber::readings(&text).contains(number), "{text}");
    }
    // Said to be hexadecimal, it is nothing else.
    let pairs: Vec<_> = digits.as_bytes().chunks(2).map(str_of).collect();
    let colons = format!("{sign}{}", pairs.join(":"));
    let prefixed = format!("{sign}0x{digits}");
    for text in [colons, prefixed]
        .iter()
        .filter(|text| text.contains([':', 'x']))
    {
        assert_eq!(
            SerialNumber::readings(text),
            std::slice::from_ref(number),
            "{text}"
        );
    }
}

fn str_of(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("hexadecimal is ASCII")
}

/// The numbers in hexadecimal, as they are printed.
fn expected(text: &str) -> Vec<String> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let behind = digits.strip_prefix("0x").or(digits.strip_prefix("0X"));
    let written = behind.unwrap_or(digits);
    let are_pairs = !written.contains(':') || written.split(':').all(|pair| pair.len() == 2);
    let plain = written.replace(':', "");
    let is_hexadecimal = plain.bytes().all(|byte| byte.is_ascii_hexdigit()) && !plain.is_empty();
    let mut numbers = Vec::new();
    if are_pairs && is_hexadecimal {
        numbers.push(plain.to_lowercase());
    }
    let is_decimal = behind.is_none() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_decimal && !digits.is_empty() {
        numbers.push(hexadecimal_of(digits));
    }
    let mut printed: Vec<_> = numbers.iter().map(|it| print(is_negative, it)).collect();
    printed.dedup();
    printed
}

/// In whole bytes, without zeros that say nothing; zero has no sign.
fn print(is_negative: bool, digits: &str) -> String {
    let digits = digits.trim_start_matches('0');
    let zeros = match digits.len() {
        0 => "00",
        length if length % 2 == 1 => "0",
        _ => "",
    };
    let sign = if is_negative && !digits.is_empty() {
        "-"
    } else {
        ""
    };
    format!("{sign}{zeros}{digits}")
}

/// The last hexadecimal digit is the rest of a division by 16, and so on: as it is done on paper.
fn hexadecimal_of(decimal: &str) -> String {
    let mut number: Vec<u8> = decimal.bytes().map(|digit| digit - b'0').collect();
    let mut digits = String::new();
    while number.iter().any(|&digit| digit != 0) {
        let mut rest = 0;
        for digit in &mut number {
            let dividend = rest * 10 + u32::from(*digit);
            *digit = u8::try_from(dividend / 16).expect("a digit");
            rest = dividend % 16;
        }
        digits.insert(0, char::from_digit(rest, 16).expect("a digit"));
    }
    digits
}
