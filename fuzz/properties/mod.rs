//! What holds for every input, whoever made it. The fuzz targets and the tests on stable run the same functions;
//! one that returns says that its property holds.

pub mod certificate;
pub mod client_cert;
pub mod forwarded;
pub mod mapping;
pub mod mcp;
pub mod name;
pub mod pattern;
pub mod serial;
pub mod spiffe_id;
pub mod user;
pub mod xfcc;
