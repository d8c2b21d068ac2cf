//! Rules for tools: the body decides, and what needs no body is decided before one is held.

use std::cell::RefCell;

use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::decide::{Body, Outcome, Step};
use mtls_identity::identity::DirectPeer;
use mtls_identity::limit::{self, Allowance, Charge, TableKey};
use mtls_identity::reason::Reason;
use mtls_identity::request::RequestHead;
use serde_json::{Value, json};

use crate::decision::{configuration, header_map, issue, now, outcome, validated};
use crate::leaf::{Leaf, common_name as cn};

const CALL: &str =
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_web"}}"#;
const DELETE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete"}}"#;
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;

/// Alice may list and search, Bob may list.
fn rules() -> Value {
    json!({
        "mcp": {"paths": ["/mcp"], "max_body": 1000},
        "authorization": {"rules": [
            {"name": "list", "action": "allow", "mcp": {"methods": ["tools/list"]}},
            {"name": "search", "action": "allow", "identities": ["alice"],
             "mcp": {"methods": ["tools/call"], "names": ["search_*"]}},
            {"name": "health", "action": "allow", "paths": ["/health"]},
        ]},
    })
}

/// A request of a user, as far as its body is there.
struct Asked<'a> {
    user: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: Body<'a>,
}

impl<'a> Asked<'a> {
    /// A POST of JSON to `/mcp`.
    fn post(user: &'a str, body: Body<'a>) -> Self {
        const HEADERS: &[(&str, &str)] = &[
            (":method", "POST"),
            (":path", "/mcp"),
            ("content-type", "application/json"),
        ];
        Self {
            user,
            headers: HEADERS,
            body,
        }
    }

    fn step<T>(
        &self,
        configuration: &Configuration,
        charge: impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
        with: impl FnOnce(Step<'_>) -> T,
    ) -> T {
        let certificate = issue(&Leaf::of([cn(self.user)]));
        let pem = pem::encode(&certificate);
        let peer = DirectPeer::read(&validated(&pem), None);
        let client = configuration.filter.client(&peer, None);
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect();
        let map = header_map(&headers);
        let head = RequestHead::read(&map).unwrap();
        with(
            configuration
                .filter
                .step(&head, self.body, now(), &client, charge),
        )
    }

    /// The user or the reason, and the rule; `hold` for a request whose body must come first.
    fn decided(&self, configuration: &Configuration) -> String {
        self.step(
            configuration,
            |_| unreachable!("no limit"),
            |step| match step {
                Step::Hold => "hold".to_owned(),
                Step::Done(done) => format!("{} {}", outcome(&done), rule(&done)),
            },
        )
    }
}

fn rule<'a>(outcome: &'a Outcome<'_>) -> &'a str {
    outcome.decision.evidence().rule.unwrap_or("-")
}

#[test]
fn the_body_decides_who_may_call_which_tool() {
    let configuration = configuration(&rules());
    for (user, body, expected) in [
        ("alice", CALL, "alice search"),
        ("alice", LIST, "alice list"),
        ("alice", DELETE, "not_authorized -"),
        ("bob", LIST, "bob list"),
        ("bob", CALL, "not_authorized -"),
        ("bob", "[]", "malformed_mcp -"),
        ("bob", "", "malformed_mcp -"),
        (
            "alice",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}",
            "not_authorized -",
        ),
    ] {
        let asked = Asked::post(user, Body::Whole(body.as_bytes()));
        assert_eq!(asked.decided(&configuration), expected, "{user} {body}");
    }
    let too_long = Asked::post("alice", Body::TooLong);
    assert_eq!(too_long.decided(&configuration), "mcp_too_large -");
}

#[test]
fn what_needs_no_body_is_decided_at_the_head() {
    let nobody_else = json!({
        "mcp": {"paths": ["/mcp"], "max_body": 1000},
        "authorization": {"rules": [
            {"name": "search", "action": "allow", "identities": ["alice"], "mcp": {"names": ["search_*"]}},
            {"name": "no-mallory", "action": "deny", "identities": ["mallory"]},
        ]},
    });
    let configuration = configuration(&nobody_else);
    let post = [(":method", "POST"), (":path", "/mcp")];
    let json = ("content-type", "application/json");
    for (user, more, expected) in [
        ("alice", &[json][..], "hold"),
        ("alice", &[json, ("content-length", "1000")], "hold"),
        ("bob", &[json], "not_authorized -"),
        ("mallory", &[json], "not_authorized no-mallory"),
        ("alice", &[], "malformed_mcp -"),
        (
            "alice",
            &[("content-type", "text/plain")],
            "malformed_mcp -",
        ),
        (
            "alice",
            &[json, ("content-encoding", "gzip")],
            "malformed_mcp -",
        ),
        (
            "alice",
            &[json, ("content-length", "1001")],
            "mcp_too_large -",
        ),
        ("bob", &[("content-type", "text/plain")], "not_authorized -"),
    ] {
        let headers = [&post[..], more].concat();
        let asked = Asked {
            user,
            headers: &headers,
            body: Body::Coming,
        };
        assert_eq!(asked.decided(&configuration), expected, "{user} {more:?}");
    }
}

#[test]
fn a_message_has_no_way_around_its_path() {
    let configuration = configuration(&rules());
    for (path, method, body, expected) in [
        ("/mcp/", "POST", Body::Coming, "hold"),
        ("/%6dcp", "POST", Body::Coming, "hold"),
        ("//mcp", "POST", Body::Coming, "hold"),
        ("/a/../mcp", "POST", Body::Coming, "hold"),
        ("/mcp?x", "PUT", Body::Coming, "hold"),
        ("/mcp", "GET", Body::Coming, "hold"),
        ("/mcp", "GET", Body::None, "not_authorized -"),
        ("/mcp", "POST", Body::None, "malformed_mcp -"),
        ("/health", "POST", Body::Coming, "alice health"),
        ("/other", "POST", Body::Coming, "not_authorized -"),
    ] {
        let headers = [
            (":method", method),
            (":path", path),
            ("content-type", "application/json"),
        ];
        let asked = Asked {
            user: "alice",
            headers: &headers,
            body,
        };
        assert_eq!(asked.decided(&configuration), expected, "{method} {path}");
    }
}

#[test]
fn a_websocket_can_carry_any_message() {
    let upgrade = [
        (":method", "GET"),
        (":path", "/mcp"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
    ];
    let with = |default: &str, action: &str| {
        json!({
            "mcp": {"paths": ["/mcp"]},
            "authorization": {"default": default, "rules": [
                {"name": "r", "action": action, "mcp": {"methods": ["tools/call"]}},
            ]},
        })
    };
    for (default, action, expected) in [
        ("allow", "deny", "not_authorized r"),
        ("deny", "allow", "not_authorized -"),
    ] {
        let asked = Asked {
            user: "alice",
            headers: &upgrade,
            body: Body::None,
        };
        let configuration = configuration(&with(default, action));
        assert_eq!(asked.decided(&configuration), expected);
    }
}

#[test]
fn headers_that_say_something_else_are_refused() {
    let configuration = configuration(&rules());
    let headers = [
        (":method", "POST"),
        (":path", "/mcp"),
        ("content-type", "application/json"),
        ("mcp-method", "tools/list"),
    ];
    for (body, expected) in [(LIST, "alice list"), (CALL, "mcp_header_mismatch -")] {
        let asked = Asked {
            user: "alice",
            headers: &headers,
            body: Body::Whole(body.as_bytes()),
        };
        assert_eq!(asked.decided(&configuration), expected);
    }
}

#[test]
fn what_is_only_observed_passes_and_is_noted() {
    let observed = json!({
        "mcp": {"paths": ["/mcp"], "max_body": 1000},
        "observe": ["mcp"],
    });
    let configuration = configuration(&observed);
    for (body, expected) in [
        (Body::Whole(b"[]"), vec![Reason::MalformedMcp]),
        (Body::TooLong, vec![Reason::McpTooLarge]),
        (Body::Whole(LIST.as_bytes()), Vec::new()),
    ] {
        let asked = Asked::post("alice", body);
        let noted = asked.step(
            &configuration,
            |_| unreachable!(),
            |step| match step {
                Step::Done(done) => done.decision.evidence().observed.clone(),
                Step::Hold => panic!("the body is there"),
            },
        );
        assert_eq!(noted, expected);
    }
}

#[test]
fn what_is_no_message_is_charged_as_one() {
    let limited = json!({
        "mcp": {"paths": ["/mcp"], "max_body": 1000},
        "rate_limit": {"default": {"rate": "1/h", "burst": 2}},
    });
    let configuration = configuration(&limited);
    let slot = RefCell::new(Vec::new());
    let charge = |charge: &Charge<'_>| {
        let key = charge.key(&TableKey::new([0; 16]));
        let mut slot = slot.borrow_mut();
        let charged = limit::charge(&slot, key, &charge.quota, 1_000_000_000);
        if let Some(next) = charged.slot.as_ref().filter(|_| !charge.is_question) {
            *slot = next.as_bytes().to_vec();
        }
        Ok(Allowance::after(charge, &charged, 1_000_000_000))
    };
    let bodies = [
        Body::Whole(b"[]"),
        Body::TooLong,
        Body::Whole(b"{}"),
        Body::Whole(b"[]"),
        Body::Whole(LIST.as_bytes()),
    ];
    let reasons = bodies.map(|body| {
        Asked::post("alice", body).step(&configuration, charge, |step| match step {
            Step::Done(done) => outcome(&done),
            Step::Hold => panic!("the body is there"),
        })
    });
    assert_eq!(
        reasons,
        [
            "malformed_mcp",
            "mcp_too_large",
            "malformed_mcp",
            "rate_limited",
            "rate_limited"
        ]
    );
}

#[test]
fn a_body_that_turns_out_to_be_empty_is_none() {
    let configuration = configuration(&json!({"mcp": {"paths": ["/mcp"]}}));
    for (method, length, body, expected) in [
        ("GET", None, Body::Coming, "hold"),
        ("DELETE", Some("0"), Body::Coming, "hold"),
        ("GET", None, Body::Whole(b""), "alice"),
        ("OPTIONS", None, Body::Whole(b""), "alice"),
        ("GET", Some("1"), Body::Coming, "malformed_mcp"),
        ("GET", None, Body::Whole(LIST.as_bytes()), "malformed_mcp"),
        ("POST", None, Body::Coming, "malformed_mcp"),
        ("POST", None, Body::Whole(b""), "malformed_mcp"),
    ] {
        let length = length.map(|length| ("content-length", length));
        let headers: Vec<_> = [(":method", method), (":path", "/mcp")]
            .into_iter()
            .chain(length)
            .collect();
        let asked = Asked {
            user: "alice",
            headers: &headers,
            body,
        };
        let found = asked.step(
            &configuration,
            |_| unreachable!(),
            |step| match step {
                Step::Done(done) => outcome(&done),
                Step::Hold => "hold".to_owned(),
            },
        );
        assert_eq!(found, expected, "{method} {length:?} {body:?}");
    }
}

#[test]
fn a_budget_for_some_messages_is_charged_for_these_alone() {
    let limited = json!({
        "mcp": {"paths": ["/mcp"]},
        "rate_limit": {
            "default": {"rate": "1/h", "burst": 9},
            "mcp": [{"methods": ["tools/call"], "names": ["search_*"], "rate": "1/h", "burst": 1}],
        },
    });
    let configuration = configuration(&limited);
    let slots = RefCell::new(std::collections::BTreeMap::<(u64, bool), Vec<u8>>::new());
    let at = 1_000_000_000;
    let charge = |charge: &Charge<'_>| {
        let key = charge.key(&TableKey::new([0; 16]));
        let mut slots = slots.borrow_mut();
        let slot = slots
            .entry((key.slot(), charge.messages.is_some()))
            .or_default();
        let charged = limit::charge(slot, key, &charge.quota, at);
        if let Some(next) = charged.slot.as_ref().filter(|_| !charge.is_question) {
            *slot = next.as_bytes().to_vec();
        }
        Ok(Allowance::after(charge, &charged, at))
    };
    let ask = |body: &str| {
        let asked = Asked::post("alice", Body::Whole(body.as_bytes()));
        asked.step(&configuration, charge, |step| match step {
            Step::Done(done) => outcome(&done),
            Step::Hold => panic!("the body is there"),
        })
    };
    let calls: Vec<_> = (0..4).map(|_| ask(CALL)).collect();
    assert_eq!(calls, ["alice", "alice", "rate_limited", "rate_limited"]);
    // The refused calls have spent nothing of the budget for all requests.
    let lists: Vec<_> = (0..9).map(|_| ask(LIST)).collect();
    assert_eq!(lists.iter().filter(|it| *it == "alice").count(), 8);
    let head = Asked::post("alice", Body::Coming);
    let at_head = head.step(&configuration, charge, |step| match step {
        Step::Done(done) => outcome(&done),
        Step::Hold => "hold".to_owned(),
    });
    assert_eq!(at_head, "rate_limited");
}
