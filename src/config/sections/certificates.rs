//! The sections `certificate`, `pins`, `pin_required` and `revoked`, built: which certificate a client must have.

use std::collections::BTreeSet;

use super::builder::{Builder, top};
use super::values;
use crate::config::document::{CertificateSection, RevokedSection};
use crate::config::place::Path;
use crate::config::strict::Members;
use crate::decide::ValidationSource;
use crate::identity::{ForwardedHeader, User};
use crate::rules::{Forwarder, Pin, PinRules, Revocations, TokenBinding, TokenRules};

/// The section `certificate`, built.
pub(super) struct CertificateRules {
    pub(super) validation: ValidationSource,
    pub(super) forwarded_by: Vec<Forwarder>,
    pub(super) forwarded_header: ForwardedHeader,
    pub(super) tokens: TokenRules,
}

/// What an entry of `revoked` needs.
const REVOKED_KEYS: &str =
    "needs either \"sha256\", or \"issuer\" and one of \"serial\" and \"serials\"";

/// In `pin_required`: every user must have a pin.
const EVERY_USER: &str = "*";

impl Builder {
    pub(super) fn certificate_rules(&mut self, section: CertificateSection) -> CertificateRules {
        let CertificateSection {
            validation,
            forwarded_by,
            forwarded_header,
            bound,
            bound_metadata,
        } = section;
        let tokens = self.token_rules(bound, bound_metadata);
        let path = top("certificate").key("forwarded_by");
        CertificateRules {
            validation,
            forwarded_by: self.list(&path, forwarded_by, Forwarder::try_from),
            forwarded_header,
            tokens,
        }
    }

    fn token_rules(&mut self, binding: TokenBinding, metadata: Option<String>) -> TokenRules {
        let path = top("certificate").key("bound_metadata");
        if metadata.is_none() && binding != TokenBinding::Off {
            let message =
                "is missing, and \"bound\" needs it: the payload_in_metadata of jwt_authn";
            self.error(&path, message);
        }
        let metadata = metadata.and_then(|key| self.keep(&path, values::metadata_key(key)));
        let metadata = metadata.unwrap_or_default();
        TokenRules { binding, metadata }
    }

    pub(super) fn pin_rules(
        &mut self,
        pins: Members<Vec<String>>,
        required: Vec<String>,
    ) -> PinRules {
        let pins = self.map(&top("pins"), pins, User::try_from);
        let pins = pins.into_iter().map(|(user, (path, texts))| {
            let pins = self.filled(&path, texts, Pin::try_from);
            (user, pins)
        });
        let pins = pins.collect();
        let required_of_all = required.iter().any(|text| text == EVERY_USER);
        PinRules {
            pins,
            required_of_all,
            required: self.required_users(required),
        }
    }

    /// The users of `pin_required`, but for "every user".
    fn required_users(&mut self, texts: Vec<String>) -> BTreeSet<User> {
        let path = top("pin_required");
        let texts = texts.into_iter().enumerate();
        let named = texts.filter(|(_, text)| text != EVERY_USER);
        named
            .filter_map(|(index, text)| self.keep(&path.index(index), User::try_from(text)))
            .collect()
    }

    pub(super) fn revocations(&mut self, sections: Vec<RevokedSection>) -> Revocations {
        let mut revocations = Revocations::default();
        for (index, section) in sections.into_iter().enumerate() {
            self.revoke(&mut revocations, section, &top("revoked").index(index));
        }
        revocations
    }

    fn revoke(&mut self, into: &mut Revocations, section: RevokedSection, path: &Path) {
        let RevokedSection {
            sha256,
            issuer,
            serial,
            serials,
        } = section;
        let serials = match (serial, serials) {
            (Some(serial), None) => Some(vec![(path.key("serial"), serial)]),
            (None, Some(serials)) => {
                let path = path.key("serials");
                if serials.is_empty() {
                    self.error(&path, "found an empty list, expected at least one entry");
                }
                let serials = serials.into_iter().enumerate();
                Some(
                    serials
                        .map(|(index, serial)| (path.index(index), serial))
                        .collect(),
                )
            }
            (Some(_), Some(_)) => return self.error(path, REVOKED_KEYS),
            (None, None) => None,
        };
        match (sha256, issuer, serials) {
            (Some(sha256), None, None) => {
                let fingerprint = values::fingerprint(sha256);
                into.fingerprints
                    .extend(self.keep(&path.key("sha256"), fingerprint));
            }
            (None, Some(issuer), Some(serials)) => {
                let name = self.keep(&path.key("issuer"), values::issuer(issuer));
                let mut numbers = BTreeSet::new();
                for (path, serial) in serials {
                    numbers.extend(
                        self.keep(&path, values::serial_numbers(serial))
                            .unwrap_or_default(),
                    );
                }
                for name in name.into_iter().flat_map(values::either_order) {
                    into.serials
                        .entry(name)
                        .or_default()
                        .extend(numbers.clone());
                }
            }
            _ => self.error(path, REVOKED_KEYS),
        }
    }
}
