//! The order of work on a request: strip, decide, set. Envoy and the command `explain` both run through it.

use std::rc::Rc;

use crate::certificate::Timestamp;
use crate::decide::client::ConnectionClient;
use crate::decide::decision::{Decision, Denial, Evidence, Permit};
use crate::decide::filter::{Filter, Outcome};
use crate::decide::headers::Headers;
use crate::decide::policy::{Check, Request};
use crate::limit::{Allowance, Charge};
use crate::reason::Reason;
use crate::request::{
    McpHeadError, McpMessage, RequestHead, RequestPath, check_mcp_head, may_lack_body,
    mcp_headers_agree,
};
use crate::rules::{Confirmation, Message, Question, TokenBinding, has_one_reading};

/// The body of a request, as far as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// There is none.
    None,
    /// It is still to come.
    Coming,
    /// All of it.
    Whole(&'a [u8]),
    /// More than `mcp.max_body`.
    TooLong,
}

/// What is known of a request beside its head and its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the request arrived.
    pub now: Timestamp,
    /// The certificate that its access token is bound to.
    pub token: Confirmation,
}

/// A request without an access token.
impl From<Timestamp> for Arrival {
    fn from(now: Timestamp) -> Self {
        let token = Confirmation::None;
        Self { now, token }
    }
}

/// What is to be done with a request now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every request is decided at once, and a box would cost each of them"
)]
pub enum Step<'p> {
    /// It is decided.
    Done(Outcome<'p>),
    /// Its body decides: the request is held until the body is whole.
    Hold,
}

/// What a decision needs, but for the body.
#[derive(Clone, Copy)]
struct Asked<'a> {
    head: &'a RequestHead<'a>,
    path: &'a RequestPath<'a>,
    arrival: Arrival,
    client: &'a ConnectionClient,
}

impl<'a> Asked<'a> {
    fn with<'b>(&self, message: Message<'b>) -> Request<'b>
    where
        'a: 'b,
    {
        Request {
            now: self.arrival.now,
            token: self.arrival.token,
            question: Question::new(*self.head, self.path, message),
        }
    }
}

/// Why a body is no message, and the rule that is broken.
type Broken = (Reason, String);

impl Filter {
    /// Decides on a request without a body, as [`Filter::step`] does.
    pub fn decide(
        &self,
        head: &RequestHead<'_>,
        arrival: impl Into<Arrival>,
        client: &ConnectionClient,
        charge: impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'_> {
        match self.step(head, Body::None, arrival, client, charge) {
            Step::Done(outcome) => outcome,
            Step::Hold => Outcome::refused(Reason::InternalError),
        }
    }

    /// Decides on a request and writes its headers, or says that its body must be there first. A pure function of its
    /// arguments; `charge` is asked last, of a request that nothing else refuses.
    ///
    /// On `mcp.paths` what needs no body is decided at the head, so that nobody who is refused anyway has a body held. When
    /// the body is whole, everything is asked again.
    pub fn step(
        &self,
        head: &RequestHead<'_>,
        body: Body<'_>,
        arrival: impl Into<Arrival>,
        client: &ConnectionClient,
        mut charge: impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Step<'_> {
        if let Some(detail) = self.malformed(head) {
            let evidence = Evidence {
                peer: client.direct.clone().ok(),
                detail: Some(detail.into()),
                ..Evidence::default()
            };
            let reason = Reason::MalformedRequest;
            return Step::Done(Outcome::denied(Denial { reason, evidence }));
        }
        let path = head.path();
        let arrival = arrival.into();
        let asked = Asked {
            head,
            path: &path,
            arrival: Arrival {
                token: self.token(head, arrival.token),
                ..arrival
            },
            client,
        };
        if !self.mcp.covers(&path) {
            return Step::Done(self.finish(&asked, Message::None, &mut charge));
        }
        if head.is_upgrade() {
            return Step::Done(self.finish(&asked, Message::Any, &mut charge));
        }
        let is_post = head.first(":method") == b"POST";
        Step::Done(match body {
            // A hop over HTTP/2 may say only afterwards that there is no body.
            Body::None | Body::Whole([]) if !is_post => {
                self.finish(&asked, Message::None, &mut charge)
            }
            Body::Coming => match self.refused_at_head(&asked, &mut charge) {
                Some(outcome) => outcome,
                None => return Step::Hold,
            },
            Body::None | Body::Whole(_) | Body::TooLong => match self.read(head, body) {
                Ok(message) => self.finish(&asked, Message::Read(&message), &mut charge),
                Err(broken) => self.broken(&asked, broken, &mut charge),
            },
        })
    }

    /// Why the gateway could not trust the headers of this request, whatever it is told; none if it can.
    fn malformed(&self, head: &RequestHead<'_>) -> Option<&'static str> {
        let mut connection = head.values("connection");
        if connection.any(|value| self.headers.is_named_by(value)) {
            return Some("the header Connection names a header of the filter");
        }
        // RFC 9110 section 9.3.6. In a tunnel to the gateway the client writes every byte, the user header as well.
        (head.first(":method") == b"CONNECT").then_some("CONNECT asks for a tunnel to the gateway")
    }

    /// What the token of a request is bound to, where anybody asks. Of two tokens Envoy may have read one and the gateway
    /// may read the other.
    fn token(&self, head: &RequestHead<'_>, read: Confirmation) -> Confirmation {
        if self.policy.tokens.binding == TokenBinding::Off {
            return read;
        }
        let mut values = head.values("authorization");
        match (values.next(), values.next()) {
            (None, _) => read,
            (Some(value), None) if has_one_reading(value) => read,
            (Some(_), _) => Confirmation::Ambiguous,
        }
    }

    /// The outcome of a request that no body could save; none for one whose body must be read.
    fn refused_at_head(
        &self,
        asked: &Asked<'_>,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Option<Outcome<'_>> {
        let permit = match self
            .policy
            .decide(&asked.with(Message::Unread), asked.client)
        {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => return Some(Outcome::denied(denial)),
        };
        let broken = self.check_head(asked.head).err();
        let observed = match broken.filter(|_| !may_lack_body(asked.head)) {
            Some(broken) if !self.policy.observes(Check::Mcp) => {
                return Some(self.refuse(permit, broken, charge));
            }
            observed => observed,
        };
        let mut ask = |due: &Charge<'_>| {
            charge(&Charge {
                is_question: true,
                ..*due
            })
        };
        let limited = self.limit(permit, Rc::default(), Message::Unread, &mut ask);
        if limited.decision.reason().is_some() {
            return Some(limited);
        }
        Some(self.broken(asked, observed?, charge))
    }

    fn check_head(&self, head: &RequestHead<'_>) -> Result<(), Broken> {
        check_mcp_head(head, self.mcp.max_body).map_err(|error| {
            let reason = match error {
                McpHeadError::TooLarge => Reason::McpTooLarge,
                McpHeadError::ContentType | McpHeadError::ContentEncoding => Reason::MalformedMcp,
            };
            (reason, error.detail().to_owned())
        })
    }

    /// The message that a body is.
    fn read(&self, head: &RequestHead<'_>, body: Body<'_>) -> Result<McpMessage, Broken> {
        let bytes = match body {
            Body::Whole(bytes) => bytes,
            Body::None | Body::Coming => &[],
            Body::TooLong => {
                let detail = "the body is longer than mcp.max_body".to_owned();
                return Err((Reason::McpTooLarge, detail));
            }
        };
        self.check_head(head)?;
        let message = McpMessage::parse(bytes);
        let message = message.map_err(|error| (Reason::MalformedMcp, error.to_string()))?;
        match mcp_headers_agree(head, &message) {
            true => Ok(message),
            false => {
                let detail = "Mcp-Method or Mcp-Name says something else than the body".to_owned();
                Err((Reason::McpHeaderMismatch, detail))
            }
        }
    }

    /// The outcome of a request whose body is no message. Where that is only observed, the body may be any message.
    fn broken(
        &self,
        asked: &Asked<'_>,
        broken: Broken,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'_> {
        if self.policy.observes(Check::Mcp) {
            let mut outcome = self.finish(asked, Message::Any, charge);
            if let Decision::Allow(permit) = &mut outcome.decision {
                permit.observe(broken.0);
            }
            return outcome;
        }
        let unread = asked.with(Message::Unread);
        match self.policy.decide(&unread, asked.client) {
            Decision::Deny(denial) => Outcome::denied(denial),
            Decision::Allow(permit) => self.refuse(permit, broken, charge),
        }
    }

    /// Refuses a request that may pass but for its message. It is charged as any other: to find that out costs the most.
    fn refuse<'p>(
        &'p self,
        permit: Permit<'p>,
        (reason, detail): Broken,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'p> {
        let charged = self.limit(permit, Rc::default(), Message::None, charge);
        match charged.decision {
            Decision::Deny(_) => charged,
            Decision::Allow(permit) => {
                let mut denial = permit.withdraw(reason);
                denial.evidence.detail = Some(detail.into());
                Outcome::denied(denial)
            }
        }
    }

    /// Decides on a request of which everything is known.
    fn finish(
        &self,
        asked: &Asked<'_>,
        message: Message<'_>,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'_> {
        let mut decision = self.policy.decide(&asked.with(message), asked.client);
        if let Message::Read(message) = message {
            decision.note(message.clone());
        }
        let permit = match decision {
            Decision::Allow(permit) => permit,
            Decision::Deny(denial) => return Outcome::denied(denial),
        };
        match permit.headers(&self.headers) {
            Ok(headers) => self.limit(permit, headers, message, charge),
            Err(reason) => Outcome::denied(permit.withdraw(reason)),
        }
    }

    fn limit<'p>(
        &'p self,
        mut permit: Permit<'p>,
        headers: Rc<Headers>,
        message: Message<'_>,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Outcome<'p> {
        let allowance = match self.charge(&permit, message, charge) {
            Ok(allowance) => allowance,
            Err(reason) => return Outcome::denied(permit.withdraw(reason)),
        };
        let is_limited = allowance.is_some_and(|allowance| !allowance.is_allowed());
        if is_limited && !self.policy.observes(Check::RateLimit) {
            let denied = Outcome::denied(permit.withdraw(Reason::RateLimited));
            return Outcome {
                allowance,
                ..denied
            };
        }
        if is_limited {
            permit.observe(Reason::RateLimited);
        }
        Outcome {
            decision: Decision::Allow(permit),
            headers,
            allowance,
        }
    }

    /// Charges each budget of a request. Where there are several, all are asked first, so that a request which one of them
    /// refuses spends nothing of the others. Returns what is left of the budget that refuses, or else of the first.
    fn charge(
        &self,
        permit: &Permit<'_>,
        message: Message<'_>,
        charge: &mut impl FnMut(&Charge<'_>) -> Result<Allowance, Reason>,
    ) -> Result<Option<Allowance>, Reason> {
        let user = permit.identity().map(|identity| &identity.user);
        let quota = match permit.checks() {
            Some(checks) => checks.quota,
            None => self.limits.anonymous,
        };
        let all = quota.map(|quota| (quota, None));
        let of_message: Vec<_> = match message {
            Message::Read(message) => self.limits.mcp_limits(message).collect(),
            Message::Any => self.limits.mcp.iter().collect(),
            Message::None | Message::Unread => Vec::new(),
        };
        let of_message = of_message
            .iter()
            .map(|limit| (limit.quota, Some(&limit.messages)));
        let due = all.into_iter().chain(of_message);
        let questions: &[bool] = match due.clone().nth(1) {
            Some(_) => &[true, false],
            None => &[false],
        };
        let mut first = None;
        for &is_question in questions {
            for (quota, messages) in due.clone() {
                let allowance = charge(&Charge {
                    user,
                    quota,
                    messages,
                    is_question,
                })?;
                if !allowance.is_allowed() {
                    return Ok(Some(allowance));
                }
                if !is_question {
                    first = first.or(Some(allowance));
                }
            }
        }
        Ok(first)
    }
}
