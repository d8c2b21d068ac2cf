//! Authorization: who may do what.

use mtls_identity::rules::comparable_group;
use serde_json::{Value, json};

use crate::decision::{configuration, issue, now, outcome, serve_head, validated};
use crate::leaf::{Attribute, Leaf, common_name as cn, organization as o};

#[test]
fn a_rule_that_denies_is_not_escaped_by_another_spelling() {
    let user = issue(&Leaf::of([cn("u"), o("M\u{fc}ller")]));
    let latin = Attribute::new("2.5.4.10", crate::der::TELETEX_STRING, b"M\xfcller");
    let unreadable = issue(&Leaf::of([cn("u"), latin]));
    let deny = |condition: Value| {
        let mut rule = json!({"name": "no", "action": "deny"});
        rule.as_object_mut()
            .unwrap()
            .extend(condition.as_object().unwrap().clone());
        json!({"default": "allow", "rules": [rule]})
    };
    let no_delete = deny(json!({"methods": ["DELETE"]}));
    let no_mueller = deny(json!({"organizations": ["M\u{dc}LLER"]}));
    let no_call = deny(json!({"headers": {"mcp-method": ["tools/call"]}}));
    let no_admin = deny(json!({"paths": ["/admin/*"]}));
    let no_two_words = deny(json!({"organizations": ["Evil Corp"]}));
    let two_words = issue(&Leaf::of([cn("u"), o("evil  CORP ")]));
    let invisible = issue(&Leaf::of([cn("u"), o("Evil\u{200b} Corp")]));
    let no_at = deny(json!({"paths": ["/a@b"]}));
    for (rules, certificate, head) in [
        (&no_delete, &user, (":method", "delete")),
        (&no_delete, &user, (":method", "DELETE")),
        (&no_mueller, &user, (":path", "/")),
        (&no_mueller, &unreadable, (":path", "/")),
        (&no_call, &user, ("mcp_method", "tools/call")),
        (&no_call, &user, ("mcp-method", "tools/call")),
        (&no_call, &user, ("mcp-method", " tools/call\t")),
        (&no_call, &user, ("mcp-method", "ping, tools/call")),
        (&no_call, &user, ("mcp-method", "tools/call,")),
        (&no_admin, &user, (":path", "/admin/")),
        (&no_admin, &user, (":path", "/admin/?x")),
        (&no_admin, &user, (":path", "/admin/users")),
        (&no_two_words, &two_words, (":path", "/")),
        (&no_two_words, &invisible, (":path", "/")),
        (&no_at, &user, (":path", "/a%40b")),
        (&no_at, &user, (":path", "/a%2540b")),
    ] {
        assert_eq!(
            authorize(rules, certificate, &[head]),
            "not_authorized no",
            "{head:?}"
        );
    }
    let allow = json!({"rules": [{"name": "s", "action": "allow", "paths": ["/servers/*"]}]});
    for path in [
        "/servers/%252e%252e/admin",
        "/servers/%C3",
        "/servers/%C0%AF",
    ] {
        assert_eq!(
            authorize(&allow, &user, &[(":path", path)]),
            "not_authorized default",
            "{path}"
        );
    }
    for path in [
        "/servers/%C3%A9",
        "/servers/%c3%a9",
        "/servers/a%40b",
        "/servers/",
    ] {
        assert_eq!(
            authorize(&allow, &user, &[(":path", path)]),
            "u s",
            "{path}"
        );
    }
}

/// Who asks for what, and by which rule it is decided.
fn authorize(rules: &Value, certificate: &[u8], head: &[(&str, &str)]) -> String {
    let configuration = configuration(&json!({"authorization": rules}));
    let pem = mtls_identity::certificate::pem::encode(certificate);
    let served = serve_head(&configuration, &validated(&pem), head, now());
    let rule = served.decision.evidence().rule.unwrap_or("default");
    format!("{} {rule}", outcome(&served))
}

const DENIED: &str = "not_authorized";

#[test]
fn an_organization_has_no_case() {
    for (one, other) in [
        ("ACME  Ltd ", "acme ltd"),
        ("M\u{dc}LLER", "m\u{fc}ller"),
        (
            "\u{39f}\u{394}\u{39f}\u{3a3}",
            "\u{3bf}\u{3b4}\u{3bf}\u{3c2}",
        ),
        ("Mu\u{308}ller", "m\u{fc}ller"),
        ("\u{ff25}vil Corp", "evil corp"),
    ] {
        assert_eq!(comparable_group(one), comparable_group(other));
        assert_eq!(comparable_group(one), comparable_group(&one.to_lowercase()));
    }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let rules = json!({"default": "deny", "rules": [
        {"name": "no-eve", "action": "deny", "identities": ["eve@example.com"]},
        {"name": "reads", "action": "allow", "methods": ["get"], "identities": ["*@Example.com"]},
        {"name": "partners", "action": "allow", "organizations": ["ACME"], "paths": ["/mcp", "/servers/*"]},
        {"name": "public", "action": "allow", "paths": ["/health"]},
    ]});
    let user = issue(&Leaf::of([cn("user@example.com")]));
    let eve = issue(&Leaf::of([cn("Eve@example.com"), o("Acme")]));
    let near = issue(&Leaf::of([cn("eve@evil-example.com")]));
    let partner = issue(&Leaf::of([cn("p"), o("Acme")]));
    let both = issue(&Leaf::of([cn("p"), o("Acme"), o("Evil")]));
    let get = |path| [(":method", "GET"), (":path", path)];
    let post = |path| [(":method", "POST"), (":path", path)];
    for (certificate, head, expected) in [
        (&user, get("/any"), "user@example.com reads"),
        (&user, post("/any"), "not_authorized default"),
        (
            &user,
            [(":method", "get"), (":path", "/any")],
            "not_authorized default",
        ),
        (&eve, get("/mcp"), "not_authorized no-eve"),
        (&near, get("/any"), "not_authorized default"),
        (&partner, post("/mcp"), "p partners"),
        (&partner, post("/mcp?a=/b/../c"), "p partners"),
        (&partner, post("/servers/a/sse"), "p partners"),
        (&partner, post("/servers/"), "p partners"),
        (&partner, post("/servers"), "not_authorized default"),
        (&partner, post("/mcp/"), "not_authorized default"),
        (&partner, post("/MCP"), "not_authorized default"),
        (&partner, post("/servers/../mcp"), "not_authorized default"),
        (
            &partner,
            post("/servers/..%2fadmin"),
            "not_authorized default",
        ),
        (
            &partner,
            post("/servers/..;/admin"),
            "not_authorized default",
        ),
        (&partner, post("/servers//admin"), "not_authorized default"),
        (
            &partner,
            post("/servers/%2e%2e/admin"),
            "not_authorized default",
        ),
        (
            &partner,
            post("/servers/..\\admin"),
            "not_authorized default",
        ),
        (&both, post("/mcp"), "p partners"),
        (&partner, post("/health"), "p public"),
    ] {
        assert_eq!(authorize(&rules, certificate, &head), expected, "{head:?}");
    }
}

#[test]
fn a_rule_that_denies_is_not_escaped_by_another_writing_of_the_path() {
    let rules = json!({"default": "allow", "rules": [
        {"name": "no-admin", "action": "deny", "paths": ["/admin", "/admin/*", "/mcp", "*/sse", "/secret/*"]},
    ]});
    let user = issue(&Leaf::of([cn("u")]));
    for (path, expected) in [
        ("/admin", "not_authorized no-admin"),
        ("/admin/users?a", "not_authorized no-admin"),
        ("/mcp/", "not_authorized no-admin"),
        ("/mcp", "not_authorized no-admin"),
        ("/a/sse/", "not_authorized no-admin"),
        ("/secret", "not_authorized no-admin"),
        ("/secrets", "u default"),
        ("//admin", "not_authorized no-admin"),
        ("/x/../admin", "not_authorized no-admin"),
        ("/%61dmin", "not_authorized no-admin"),
        ("/admin;x", "not_authorized no-admin"),
        ("/x%2f..%2fadmin", "not_authorized no-admin"),
        ("http://a/admin", "not_authorized no-admin"),
        ("/administrator", "u default"),
        ("/other", "u default"),
    ] {
        let head = [(":method", "GET"), (":path", path)];
        assert_eq!(authorize(&rules, &user, &head), expected, "{path}");
    }
}

#[test]
fn headers_are_conditions_and_a_repeated_one_is_no_way_around() {
    let allow = json!({"rules": [
        {"name": "calls", "action": "allow", "headers": {"Mcp-Method": ["tools/*", "ping"]}},
    ]});
    let deny = json!({"default": "allow", "rules": [
        {"name": "no-calls", "action": "deny", "headers": {"mcp-method": ["tools/call"]}},
    ]});
    let user = issue(&Leaf::of([cn("u")]));
    let head = |values: &[&'static str]| -> Vec<(&str, &str)> {
        values.iter().map(|value| ("mcp-method", *value)).collect()
    };
    for (rules, values, expected) in [
        (&allow, head(&["tools/call"]), "u calls"),
        (&allow, head(&["ping"]), "u calls"),
        (&allow, head(&["tools/call", "ping"]), "u calls"),
        (
            &allow,
            head(&["ping", "admin/drop"]),
            "not_authorized default",
        ),
        (&allow, head(&["ping,admin/drop"]), "not_authorized default"),
        (&allow, head(&[]), "not_authorized default"),
        (&allow, head(&["PING"]), "not_authorized default"),
        (&deny, head(&["tools/call"]), "not_authorized no-calls"),
        (
            &deny,
            head(&["ping", "tools/call"]),
            "not_authorized no-calls",
        ),
        (&deny, head(&["tools/list"]), "u default"),
        (&deny, head(&[]), "u default"),
    ] {
        assert_eq!(authorize(rules, &user, &values), expected, "{values:?}");
    }
}

#[test]
fn who_passes_without_an_identity_is_subject_to_the_rules_too() {
    let value = json!({
        "identity": {"missing": "strip"},
        "authorization": {"rules": [
            {"name": "staff", "action": "allow", "identities": ["*"]},
            {"name": "health", "action": "allow", "paths": ["/health"]},
        ]},
    });
    let configuration = configuration(&value);
    for (path, expected) in [("/health", "anonymous"), ("/mcp", DENIED)] {
        let head = [(":path", path)];
        let served = serve_head(&configuration, &Default::default(), &head, now());
        assert_eq!(outcome(&served), expected);
    }
}
