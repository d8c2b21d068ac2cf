//! For whom a trusted peer speaks.

mod client_cert;
mod xfcc;
mod xfcc_by_envoy;
