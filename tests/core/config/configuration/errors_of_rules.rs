//! The errors of rules, limits and headers.

use super::errors::assert_refused;

#[test]
fn errors_of_rules_limits_and_headers_name_path_and_value() {
    for (text, path, words) in [
        // Authorization.
        (
            r#"{"authorization": null}"#,
            "authorization",
            "expected an object",
        ),
        (
            r#"{"authorization": {}}"#,
            "authorization",
            "denies everything: add a rule, or \"default\": \"allow\"",
        ),
        (
            r#"{"authorization": {"default": "deny", "rules": []}}"#,
            "authorization",
            "denies everything: add a rule, or \"default\": \"allow\"",
        ),
        (
            r#"{"authorization": {"default": "maybe"}}"#,
            "authorization.default",
            "expected \"allow\" or \"deny\"",
        ),
        (
            r#"{"authorization": {"rules": [{"action": "allow"}]}}"#,
            "authorization.rules[0]",
            "the key \"name\" is missing",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a"}]}}"#,
            "authorization.rules[0]",
            "the key \"action\" is missing",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "", "action": "allow"}]}}"#,
            "authorization.rules[0].name",
            "expected 1 to 64",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow"}, {"name": "a", "action": "deny"}]}}"#,
            "authorization.rules[1].name",
            "found \"a\" twice",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": []}]}}"#,
            "authorization.rules[0].identities",
            "found an empty list",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": ["*x"]}]}}"#,
            "authorization.rules[0].identities[0]",
            "found \"*x\", expected '*' beside",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "identities": ["a*b"]}]}}"#,
            "authorization.rules[0].identities[0]",
            "'*' at one end only",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "organizations": [""]}]}}"#,
            "authorization.rules[0].organizations[0]",
            "expected an organization",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "methods": ["G T"]}]}}"#,
            "authorization.rules[0].methods[0]",
            "found \"G T\", expected a method",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "paths": ["mcp"]}]}}"#,
            "authorization.rules[0].paths[0]",
            "found \"mcp\", expected a path",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "paths": ["/a?b"]}]}}"#,
            "authorization.rules[0].paths[0]",
            "expected a path",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"a b": ["c"]}}]}}"#,
            "authorization.rules[0].headers[\"a b\"]",
            "is not a header name",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"a": []}}]}}"#,
            "authorization.rules[0].headers.a",
            "found an empty list",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "headers": {"X_SSL_Client_Verify": ["SUCCESS"]}}]}}"#,
            "authorization.rules[0].headers",
            "expected a header that is not removed",
        ),
        (
            r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "path": ["/"]}]}}"#,
            "authorization.rules[0].path",
            "found the unknown key \"path\": did you mean \"paths\"?",
        ),
        // Limits.
        (
            r#"{"rate_limit": {"default": {"rate": "10"}}}"#,
            "rate_limit.default.rate",
            "found \"10\", expected a rate such as",
        ),
        (
            r#"{"rate_limit": {"default": {"burst": 1}}}"#,
            "rate_limit.default",
            "the key \"rate\" is missing",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "burst": -1}}}"#,
            "rate_limit.default.burst",
            "found -1, expected a whole number from 0 to 1000000",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "burst": 1000001}}}"#,
            "rate_limit.default.burst",
            "found 1000001, expected a whole number from 0 to 1000000",
        ),
        (
            r#"{"rate_limit": {"default": {"rate": "1/s", "per": 1}}}"#,
            "rate_limit.default.per",
            "found the unknown key \"per\", expected \"rate\" or \"burst\"",
        ),
        (
            r#"{"rate_limit": {"default": "unlimited"}}"#,
            "rate_limit.default",
            "expected an object",
        ),
        (
            r#"{"rate_limit": {"default": null}}"#,
            "rate_limit.default",
            "expected an object",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": "none"}}}"#,
            "rate_limit.identities.a",
            "expected an object with a rate, or \"unlimited\"",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": {}}}}"#,
            "rate_limit.identities.a",
            "the key \"rate\" is missing",
        ),
        (
            r#"{"rate_limit": {"identities": {"*a": "unlimited"}}}"#,
            "rate_limit.identities[\"*a\"]",
            "expected '*' beside",
        ),
        (
            r#"{"rate_limit": {"identities": {"a": "unlimited", "A": "unlimited"}}}"#,
            "rate_limit.identities",
            "found the key \"a\" twice",
        ),
        (
            r#"{"rate_limit": {"anonymous": {"rate": "0/s"}}}"#,
            "rate_limit.anonymous.rate",
            "found \"0/s\"",
        ),
        (
            r#"{"rate_limit": {"response_headers": "all"}}"#,
            "rate_limit.response_headers",
            "expected one of \"none\", \"draft\", \"legacy\"",
        ),
        // Observe and audit.
        (
            r#"{"observe": ["identity"]}"#,
            "observe[0]",
            "found \"identity\", expected one of \"pins\", \"authorization\", \"rate_limit\"",
        ),
        (
            r#"{"audit": {"log": "some"}}"#,
            "audit.log",
            "expected one of \"none\", \"denials\", \"all\"",
        ),
        (
            r#"{"audit": {"access_log": "yes"}}"#,
            "audit.access_log",
            "found \"yes\", expected true or false",
        ),
        // Headers.
        (
            r#"{"headers": {"user": ":path"}}"#,
            "headers.user",
            "\":path\" is a pseudo-header",
        ),
        (
            r#"{"headers": {"user": "a b"}}"#,
            "headers.user",
            "\"a b\" is not a header name",
        ),
        (
            r#"{"headers": {"user": ""}}"#,
            "headers.user",
            "\"\" is not a header name",
        ),
        (
            r#"{"headers": {"user": "Connection"}}"#,
            "headers.user",
            "\"Connection\" cannot be used: HTTP itself uses this header",
        ),
        (
            r#"{"headers": {"strip": ["te"]}}"#,
            "headers.strip[0]",
            "\"te\" cannot be used",
        ),
        (
            r#"{"headers": {"set": {"x-a": "users"}}}"#,
            "headers.set[\"x-a\"]",
            "found \"users\", expected one of \"user\", \"subject\"",
        ),
        (
            r#"{"headers": {"set": {"x a": "user"}}}"#,
            "headers.set[\"x a\"]",
            "\"x a\" is not a header name",
        ),
        (
            r#"{"headers": {"set": {"x-a": "user", "X-A": "user"}}}"#,
            "headers.set",
            "found the key \"x-a\" twice",
        ),
        (
            r#"{"headers": {"set": {"x-a": "user", "x_a": "user"}}}"#,
            "headers",
            "the same header",
        ),
        (
            r#"{"headers": {"set": {"x_ssl_client_s_dn_cn": "user"}}}"#,
            "headers",
            "headers.user are the same header",
        ),
    ] {
        assert_refused(text, path, words);
    }
}
