//! What rules are compared with: patterns, messages of MCP, serial numbers.

use proptest::prelude::*;

use super::{config, pieces, shared};

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn a_pattern_has_a_star_at_one_end(
        pattern in pieces(&["a", "A", "b", "ab", "*", "/", "\u{e9}"]),
        text in pieces(&["a", "A", "b", "ab", "*", "/", "\u{e9}"]),
    ) {
        shared::pattern::any_text(&pattern, &text);
    }

    #[test]
    fn a_serial_number_is_every_number_that_it_could_be_printed_for(
        text in pieces(&["-", "0x", "0X", ":", "0", "00", "7", "16", "9999999999", "a", "BC", "ff", "+", " ", "g", "\u{661}"]),
        digits in "-?[0-9]{1,60}",
    ) {
        shared::serial::any_text(&text);
        shared::serial::any_text(&digits);
        shared::serial::any_text(&format!("{text}{digits}"));
    }

    #[test]
    fn what_the_strict_reader_finds_every_reader_finds(members in pieces(MEMBERS), params in pieces(MEMBERS)) {
        let body = members.replace("PARAMS", params.trim_end_matches(','));
        let body = format!("{{\"jsonrpc\":\"2.0\",{}}}", body.trim_end_matches(','));
        shared::mcp::any_body(body.as_bytes());
    }
}

/// Members of a message and of its `params`, near what some reader takes for another.
const MEMBERS: &[&str] = &[
    "\"id\":1,",
    "\"ID\":2,",
    "\"method\":\"tools/call\",",
    "\"method\":\"tools/call\",\"params\":{PARAMS},",
    "\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},",
    "\"m\\u0065thod\":\"resources/read\",",
    "\"Method\":\"tools/list\",",
    "\"params\":{PARAMS},",
    "\"params\":null,",
    "\"params\":[],",
    "\"name\":\"drop\",",
    "\"name\":\"dr\\u006fp\",",
    "\"Name\":\"list\",",
    "\"uri\":\"file:///\",",
    "\"result\":{},",
    "\"error\":{},",
    "\"x\":\"\\ud800\",",
    "\"x\":{\"method\":1},",
];
