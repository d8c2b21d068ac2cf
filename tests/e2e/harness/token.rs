//! Access tokens: JWTs that an issuer of its own signs, and Envoy's filter that verifies them.

use data_encoding::BASE64URL_NOPAD;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

use super::bootstrap::Bootstrap;
use super::certs::Credentials;

/// The key under which [`Issuer::verify`] has the claims written.
pub(crate) const METADATA: &str = "jwt_payload";

/// Who signs tokens.
pub(crate) struct Issuer {
    key: KeyPair,
}

impl Issuer {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self { key }
    }

    /// The value of `Authorization` for a token with this claim `cnf`; without the claim for null.
    pub(crate) fn bearer(&self, cnf: &Value) -> String {
        let mut claims = json!({"iss": "https://issuer.example.com", "sub": "admin@example.com", "exp": 4_102_444_800_u64});
        if !cnf.is_null() {
            claims["cnf"] = cnf.clone();
        }
        self.sign(&claims)
    }

    /// The same with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let head = json!({"alg": "EdDSA", "typ": "JWT", "kid": "test"});
        let signed = format!("{}.{}", encode(&head), encode(claims));
        let signature = self.key.sign(signed.as_bytes()).unwrap();
        format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    /// The keys as JWKS (RFC 7517).
    pub(crate) fn jwks(&self) -> String {
        let x = BASE64URL_NOPAD.encode(self.key.der_bytes());
        let key = json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "test", "x": x});
        json!({"keys": [key]}).to_string()
    }

    /// Puts Envoy's filter for the tokens of this issuer before mtls-identity. A request without a token passes it.
    pub(crate) fn verify(&self) -> impl FnOnce(&mut Bootstrap) + 'static {
        let filter = self.filter();
        move |envoy| envoy.http_filters().insert(0, filter)
    }

    /// `envoy.filters.http.jwt_authn`.
    pub(crate) fn filter(&self) -> Value {
        json!({
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"issuer": {
                    "issuer": "https://issuer.example.com",
                    "local_jwks": {"inline_string": self.jwks()},
                    "from_headers": [{"name": "Authorization", "value_prefix": "Bearer "}],
                    "forward": true,
                    "payload_in_metadata": METADATA,
                }},
                "rules": [{
                    "match": {"prefix": "/"},
                    "requires": {"requires_any": {"requirements": [
                        {"provider_name": "issuer"}, {"allow_missing": {}},
                    ]}},
                }],
            },
        })
    }
}

/// The claim `cnf` of a token that is bound to this certificate (RFC 8705 section 3.1).
pub(crate) fn bound_to(credentials: &Credentials) -> Value {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(credentials.certificate());
    json!({"x5t#S256": BASE64URL_NOPAD.encode(&digest)})
}
