//! A configuration, built from the sections of its document. Each section is taken apart whole, so that a new key cannot
//! be forgotten.

use super::builder::{Builder, top};
use super::values;
use crate::config::configuration::Configuration;
use crate::config::document::{AuditSection, Document};
use crate::config::error::ConfigurationError;
use crate::decide::{Filter, Policy};
use crate::report::AuditRules;

impl Document {
    /// The configuration.
    ///
    /// # Errors
    /// Everything that is wrong with a value, at least one.
    pub(in crate::config) fn build(self) -> Result<Configuration, Vec<ConfigurationError>> {
        let mut builder = Builder::default();
        let configuration = builder.configuration(self);
        match configuration.filter(|_| builder.errors.is_empty()) {
            Some(configuration) => Ok(configuration),
            None => Err(builder.errors),
        }
    }
}

impl Builder {
    fn configuration(&mut self, document: Document) -> Option<Configuration> {
        let Document {
            schema: _,
            certificate,
            identity,
            headers,
            pins,
            pin_required,
            revoked,
            authorization,
            rate_limit,
            mcp,
            observe,
            audit,
        } = document;
        let certificate = self.certificate_rules(certificate);
        let (missing, charset) = (identity.missing, identity.charset);
        let path = top("identity").key("anonymous_paths");
        let anonymous_paths =
            self.list(&path, identity.anonymous_paths.clone(), values::exact_path);
        let identity = self.identity_rules(identity);
        let headers = self.header_rules(headers, charset);
        let pins = self.pin_rules(pins, pin_required);
        let revoked = self.revocations(revoked);
        let authorization = authorization.map(|it| self.authorization(it, headers.as_ref()));
        let (mcp, limits) = self.mcp_and_limits(mcp, rate_limit, authorization.as_ref());
        let policy = Policy {
            validation: certificate.validation,
            forwarded_by: certificate.forwarded_by,
            forwarded_header: certificate.forwarded_header,
            missing,
            anonymous_paths,
            identity,
            revoked,
            tokens: certificate.tokens,
            pins,
            authorization,
            observe,
        };
        let filter = Filter {
            headers: headers?,
            limits,
            policy,
            mcp,
        };
        let audit = audit_rules(audit);
        Some(Configuration { filter, audit })
    }
}

fn audit_rules(section: AuditSection) -> AuditRules {
    let AuditSection { log, access_log } = section;
    AuditRules { log, access_log }
}
