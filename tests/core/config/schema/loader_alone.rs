//! Where the schema ends.

/// Documents that the schema accepts, and what the loader says of them.
pub(super) const LOADER_ALONE: &[(&str, &str)] = &[
    // A reader of JSON keeps one of two equal keys, so no schema sees both.
    (
        r#"{"headers": {}, "headers": {}}"#,
        "twice, expected each key once",
    ),
    (
        r#"{"pins": {"a": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"],
                     "a": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#,
        "twice, expected each key once",
    ),
    // Two keys that become one in canonical form.
    (
        r#"{"pins": {"a": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"],
                     "A": ["sha256:0000000000000000000000000000000000000000000000000000000000000000"]}}"#,
        "twice, expected each key once",
    ),
    (
        r#"{"headers": {"set": {"x-a": "user", "X-A": "user"}}}"#,
        "twice, expected each key once",
    ),
    (
        r#"{"rate_limit": {"identities": {"*@a": "unlimited", "*@A": "unlimited"}}}"#,
        "twice, expected each key once",
    ),
    // One header with two values.
    (
        r#"{"headers": {"set": {"x-a": "user", "x_a": "user"}}}"#,
        "are the same header",
    ),
    (
        r#"{"headers": {"user": "x-a", "set": {"X_A": "user"}}}"#,
        "are the same header",
    ),
    (
        r#"{"headers": {"set": {"x-ssl-client-s-dn-cn": "user"}}}"#,
        "are the same header",
    ),
    // A rule that asks about a header that this document removes.
    (
        r#"{"headers": {"strip": ["x_a"]}, "authorization": {"rules": [
            {"name": "a", "action": "allow", "headers": {"X-A": ["b"]}}]}}"#,
        "expected a header that is not removed",
    ),
    // Two rules of one name.
    (
        r#"{"authorization": {"rules": [
            {"name": "a", "action": "allow"}, {"name": "a", "action": "deny"}]}}"#,
        "twice, expected a name for each rule",
    ),
    // The two sides of a mapping.
    (
        r#"{"identity": {"map": [{"from": "{x}", "to": "{y}"}]}}"#,
        "is not a wildcard of \"from\"",
    ),
    (
        r#"{"identity": {"map": [{"from": "{x}/{x}", "to": "{x}"}]}}"#,
        "is there twice",
    ),
    // The normal form of paths.
    (
        r#"{"authorization": {"rules": [{"name": "a", "action": "deny", "paths": ["/a/../b"]}]}}"#,
        "expected a path in normal form",
    ),
    // Unicode: the tables of NFKC and of NFC, bytes instead of characters, what is beyond U+FFFF.
    (r#"{"pin_required": ["\u212a"]}"#, "in another way (NFKC)"),
    (r#"{"pin_required": ["e\u0301"]}"#, "normal form NFC"),
    (
        r#"{"pin_required": ["éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé"]}"#,
        "bytes, at most 254",
    ),
    (
        r#"{"pin_required": ["a\udb40\udc01b"]}"#,
        "a control character U+E0001",
    ),
    // The value of a type that has no short name is in hexadecimal.
    (
        r#"{"revoked": [{"issuer": "2.5.4.97=a", "serial": "01"}]}"#,
        "a text for",
    ),
    // The names of attribute types are a table, too, of a hundred.
    (
        r#"{"revoked": [{"issuer": "E=a", "serial": "01"}]}"#,
        "is no attribute type",
    ),
    // A whole number that is written as another one.
    (
        r#"{"rate_limit": {"default": {"rate": "1/s", "burst": 1.0}}}"#,
        "expected a whole number from 0 to 1000000",
    ),
    // What a body decides, where no body is read; and what a header says of the body where it is.
    (
        r#"{"authorization": {"rules": [{"name": "a", "action": "allow", "mcp": {"methods": ["a"]}}]}}"#,
        "needs \"mcp.paths\"",
    ),
    (
        r#"{"rate_limit": {"mcp": [{"methods": ["a"], "rate": "1/s"}]}}"#,
        "needs \"mcp.paths\"",
    ),
    (
        r#"{"mcp": {"paths": ["/mcp"]}, "authorization": {"rules": [
            {"name": "a", "action": "deny", "headers": {"Mcp_Method": ["tools/call"]}}]}}"#,
        "the header is the client's own word",
    ),
];
