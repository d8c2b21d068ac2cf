//! `mtls-identity explain`: the exit code, and why.

use serde_json::Value;

use crate::desk::{Desk, Ran, issue};

const RULES: &str = r#"{"authorization": {"rules": [
    {"name": "no-posts", "action": "deny", "methods": ["POST"]},
    {"name": "mcp", "action": "allow", "paths": ["/mcp"]}]}}"#;

fn because(ran: &Ran) -> Vec<String> {
    let json: Value = serde_json::from_str(&ran.output).unwrap();
    serde_json::from_value(json["because"].clone()).unwrap()
}

#[test]
fn the_exit_code_is_the_decision_and_the_facts_say_why() {
    let desk = Desk::new();
    let (alice, bob, space) = (issue("Alice@Corp.example"), issue("bob"), issue("bob "));
    desk.write("alice.crt", &alice.pem);
    desk.write("bob.crt", &bob.pem);
    desk.write("space.crt", &space.pem);
    desk.write("rules.json", RULES);
    desk.write("plain.json", "{}");
    desk.write(
        "tools.json",
        r#"{"mcp": {"paths": ["/mcp"]}, "authorization": {"default": "allow", "rules": [
            {"name": "no-calls", "action": "deny", "mcp": {"methods": ["tools/call"]}}]}}"#,
    );
    let pin = desk.run(&["pin", "bob.crt"]).output;
    let pin = pin.lines().last().unwrap();
    desk.write(
        "pins.json",
        format!(r#"{{"pins": {{"alice@corp.example": ["{pin}"]}}}}"#),
    );
    for (config, cert, more, code, facts) in [
        (
            "plain.json",
            "alice.crt",
            &[][..],
            0,
            &["the source cn gives the user \"alice@corp.example\""][..],
        ),
        (
            "rules.json",
            "alice.crt",
            &["--path", "/mcp"],
            0,
            &[
                "the rule \"no-posts\" does not fit: methods",
                "the rule \"mcp\" fits and allows",
            ],
        ),
        (
            "tools.json",
            "alice.crt",
            &[
                "--path",
                "/mcp",
                "--header",
                "upgrade:websocket",
                "--header",
                "connection:upgrade",
            ],
            1,
            &["the rule \"no-calls\" fits and denies"],
        ),
        // RFC 9110 section 5.6.2: a method and a header's name may begin with a hyphen.
        (
            "rules.json",
            "alice.crt",
            &["--path", "/mcp", "--method", "-POST", "--header", "-a:-b"],
            0,
            &["the rule \"no-posts\" does not fit: methods"],
        ),
        (
            "rules.json",
            "alice.crt",
            &["--method", "POST"],
            1,
            &["the rule \"no-posts\" fits and denies"],
        ),
        (
            "rules.json",
            "alice.crt",
            &[],
            1,
            &[
                "the rule \"mcp\" does not fit: paths",
                "no rule fits, and the default denies",
            ],
        ),
        (
            "plain.json",
            "space.crt",
            &[],
            1,
            &["cn: a user with white space at an end"],
        ),
        ("plain.json", "alice.crt", &["--at", "2999-12-31"], 0, &[]),
        (
            "plain.json",
            "alice.crt",
            &["--at", "1969-12-31"],
            1,
            &["the request is of 1969-12-31T00:00:00Z"],
        ),
        (
            "pins.json",
            "alice.crt",
            &[],
            1,
            &[
                "presented spki-sha256:",
                "pins of the user: 1, of which 0 match",
            ],
        ),
        ("pins.json", "bob.crt", &[], 0, &[]),
    ] {
        let mut arguments = vec!["explain", "--json", "--config", config, "--cert", cert];
        arguments.extend(more);
        let ran = desk.run(&arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {ran:?}");
        let because = because(&ran);
        for fact in facts {
            assert!(
                because.iter().any(|it| it.contains(fact)),
                "{arguments:?}: {because:?}"
            );
        }
    }
}

#[test]
fn the_facts_are_lines_of_the_text() {
    let desk = Desk::new();
    desk.write("plain.json", "{}");
    let ran = desk.run(&["explain", "--config", "plain.json"]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.output
            .contains("\nbecause      the client shows no certificate\n"),
        "{}",
        ran.output
    );
}

#[test]
fn of_a_chain_the_first_certificate_decides_and_a_note_says_so() {
    let desk = Desk::new();
    let (alice, ca) = (issue("alice"), issue("ca"));
    desk.write("plain.yaml", "identity: {sources: [cn]}\n");
    desk.write("chain.pem", format!("{}{}{}", alice.pem, ca.pem, alice.key));
    let ran = desk.run(&["explain", "--config", "plain.yaml", "--cert", "chain.pem"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.output.contains("user         alice\n"),
        "{}",
        ran.output
    );
    assert_eq!(
        ran.errors,
        "chain.pem: the first certificate counts; passed over: CERTIFICATE, PRIVATE KEY\n"
    );
}

#[test]
fn what_cannot_be_asked_is_an_error_and_no_denial() {
    let desk = Desk::new();
    let alice = issue("alice");
    desk.write("alice.key", &alice.key);
    desk.write("alice.crt", &alice.pem);
    desk.write("plain.json", "{}");
    desk.write("bad.json", "{\"a\": 1, \"b\": 2}");
    desk.write("empty", "");
    for (arguments, words) in [
        (
            &["--config", "plain.json", "--cert", "alice.key"][..],
            "a private key",
        ),
        (
            &["--config", "plain.json", "--cert", "empty"],
            "found nothing",
        ),
        (
            &["--config", "plain.json", "--cert", "none.crt"],
            "none.crt: ",
        ),
        (&["--config", "bad.json"], "bad.json:1:"),
        (&["--config", "-", "--cert", "-"], "`-` is given twice"),
        (
            &["--config", "plain.json", "--path", "api"],
            "expected a path that begins with",
        ),
        (
            &["--config", "plain.json", "--at", "soon"],
            "expected a time such as",
        ),
        (&["--cert", "alice.crt"], "--config"),
    ] {
        let ran = desk.run(&[&["explain"], arguments].concat());
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.errors.contains(words), "{arguments:?}: {}", ran.errors);
    }
}
