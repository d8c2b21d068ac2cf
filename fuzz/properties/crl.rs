//! Lists of revoked certificates.

use mtls_identity::certificate::{SerialNumber, UnverifiedList};

/// Bytes are no list, or each serial number of theirs is written so that it is read back as this number and no other.
pub fn any_bytes(bytes: &[u8]) {
    let Ok(list) = UnverifiedList::read(bytes) else {
        return;
    };
    for number in list.serials() {
        let readings = SerialNumber::readings(&number.unambiguous());
        assert_eq!(readings, std::slice::from_ref(number));
    }
}
