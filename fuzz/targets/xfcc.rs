//! Two bytes for the forms, and names of a client, one a line; a line that begins with `D` is a host name.
#![no_main]

#[path = "../properties/mod.rs"]
#[allow(dead_code, reason = "shared by all targets")]
mod properties;

use properties::xfcc::{Form, Names, what_envoy_writes_is_the_client};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let [form, own, lines @ ..] = input else {
        return;
    };
    properties::forwarded::any_header(lines);
    if lines.len() > 4096 {
        return;
    }
    let lines = lines.split(|&byte| byte == b'\n');
    let (dns, uris): (Vec<_>, Vec<_>) = lines.partition(|line| line.starts_with(b"D"));
    let owned = |names: Vec<&[u8]>| names.into_iter().map(<[u8]>::to_vec).collect::<Vec<_>>();
    let client = Names {
        common_name: "alice".to_owned(),
        uris: owned(uris),
        dns: owned(dns),
    };
    let (form, own) = (Form::numbered(*form), Form::numbered(*own));
    what_envoy_writes_is_the_client(&client, form, &Names::default(), own);
    // The names of the proxy are the operator's, and may be as odd.
    what_envoy_writes_is_the_client(&client, form, &client_of_the_next(&client), own);
});

fn client_of_the_next(client: &Names) -> Names {
    Names {
        common_name: "proxy".to_owned(),
        ..client.clone()
    }
}
