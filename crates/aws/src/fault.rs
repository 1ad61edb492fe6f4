//! One error of the AWS wire, and its three spellings.
//!
//! A [`Fault`] carries the name that the REST-JSON services use (`AccessDeniedException`). The few
//! names that every service shares are translated when it is rendered for the Query services
//! (`AccessDenied`); all others are written as given, so IAM's own codes (`NoSuchEntity`) pass
//! through unchanged.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::xml::Xml;

/// How an error is written for the client that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `CodeArtifact` and our own operations: JSON body, name in a header.
    RestJson,
    /// IAM and STS: XML in `ErrorResponse`.
    Query(QueryService),
    /// EC2: XML in `Response`.
    Ec2,
}

/// The two services that speak the Query protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryService {
    /// Identity and access management, version 2010-05-08.
    Iam,
    /// Security token service, version 2011-06-15.
    Sts,
}

impl QueryService {
    /// The XML namespace of every answer.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::Iam => "https://iam.amazonaws.com/doc/2010-05-08/",
            Self::Sts => "https://sts.amazonaws.com/doc/2011-06-15/",
        }
    }
}

/// Why input is invalid, as the `CodeArtifact` service model lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The body is not JSON, or a member has the wrong type.
    CannotParse,
    /// A constraint of the model is violated.
    FieldValidationFailed,
    /// The encryption key cannot be used.
    EncryptionKeyError,
    /// No such method and path.
    UnknownOperation,
    /// Everything else.
    Other,
}

impl Reason {
    /// The value of the `reason` member.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotParse => "CANNOT_PARSE",
            Self::FieldValidationFailed => "FIELD_VALIDATION_FAILED",
            Self::EncryptionKeyError => "ENCRYPTION_KEY_ERROR",
            Self::UnknownOperation => "UNKNOWN_OPERATION",
            Self::Other => "OTHER",
        }
    }
}

/// An error as the client reads it. Everything in it is public: what happened inside belongs in
/// the log, beside the request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The exception's name, for example `ConflictException` or `NoSuchEntity`.
    pub code: Cow<'static, str>,
    /// A sentence for the client.
    pub message: String,
    /// The HTTP status in REST-JSON; see [`Fault::response`] for the few that differ in XML.
    pub status: StatusCode,
    /// Further JSON members: `reason`, `resourceId`, `resourceType`.
    pub members: Vec<(&'static str, String)>,
    /// Seconds to wait, sent as `Retry-After`.
    pub retry_after: Option<u32>,
    /// Under which a refusal can be found again: sent as `x-packhouse-decision`, and in the body beside the message,
    /// which stays AWS's to its last character.
    pub decision: Option<String>,
}

impl Fault {
    /// A fault with a code of the caller's own, for example IAM's `NoSuchEntity`, 404.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
            members: Vec::new(),
            retry_after: None,
            decision: None,
        }
    }

    /// `ValidationException`, 400.
    pub fn validation(reason: Reason, message: impl Into<String>) -> Self {
        Self::new(VALIDATION, StatusCode::BAD_REQUEST, message).with("reason", reason.as_str())
    }

    /// `ResourceNotFoundException`, 404. The type is `domain`, `repository`, `package`,
    /// `package-version` or `asset`; there is none for package groups.
    pub fn not_found(
        resource_type: impl Into<Option<&'static str>>,
        id: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new("ResourceNotFoundException", StatusCode::NOT_FOUND, message)
            .on(resource_type.into(), id)
    }

    /// `ConflictException`, 409.
    pub fn conflict(
        resource_type: impl Into<Option<&'static str>>,
        id: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new("ConflictException", StatusCode::CONFLICT, message).on(resource_type.into(), id)
    }

    /// `AccessDeniedException`, 403.
    pub fn access_denied(message: impl Into<String>) -> Self {
        Self::new(ACCESS_DENIED, StatusCode::FORBIDDEN, message)
    }

    /// `ServiceQuotaExceededException`, 402 as the service model says.
    pub fn quota_exceeded(
        resource_type: impl Into<Option<&'static str>>,
        id: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::new(
            "ServiceQuotaExceededException",
            StatusCode::PAYMENT_REQUIRED,
            message,
        )
        .on(resource_type.into(), id)
    }

    /// `ThrottlingException`, 429, "Rate exceeded", to be tried again after that many seconds.
    pub fn throttling(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(THROTTLING, StatusCode::TOO_MANY_REQUESTS, "Rate exceeded")
        }
    }

    /// `InternalServerException`, 500, without a word about the cause.
    pub fn internal() -> Self {
        Self::new(
            INTERNAL,
            StatusCode::INTERNAL_SERVER_ERROR,
            "The request could not be completed because of an internal error.",
        )
    }

    /// The same with one more JSON member.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// The same as a refusal that can be found again under this id.
    #[must_use]
    pub fn decided(mut self, id: impl Into<String>) -> Self {
        self.decision = Some(id.into());
        self
    }

    fn on(self, resource_type: Option<&'static str>, id: impl Into<String>) -> Self {
        let fault = self.with("resourceId", id);
        match resource_type {
            Some(resource_type) => fault.with("resourceType", resource_type),
            None => fault,
        }
    }

    /// The answer in the dialect of the request.
    ///
    /// Shapes: `{"message": …}` with `x-amzn-ErrorType`; `<ErrorResponse><Error>…`;
    /// `<Response><Errors><Error>…`. The request id is in a header each time and in the XML too.
    /// In XML throttling is 400 (IAM, STS) or 503 (EC2), as those services have it.
    pub fn response(&self, dialect: Dialect, request_id: &str) -> Response<Bytes> {
        let (code, status) = self.in_dialect(dialect);
        let (content_type, body) = match dialect {
            Dialect::RestJson => ("application/json", self.json()),
            Dialect::Query(service) => ("text/xml", self.query(service, code, status, request_id)),
            Dialect::Ec2 => ("text/xml;charset=UTF-8", self.ec2(code, request_id)),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        // A code or id that is no header text was not made here; it is left out rather than
        // turning one error into another.
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, value);
        }
        if dialect == Dialect::RestJson
            && let Ok(value) = HeaderValue::from_str(code)
        {
            headers.insert(ERROR_TYPE, value);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        let decision = self.decision.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(id)) = decision {
            headers.insert(DECISION, id);
        }
        response
    }

    /// The code and status as that service spells them.
    fn in_dialect(&self, dialect: Dialect) -> (&str, StatusCode) {
        let code = self.code.as_ref();
        match (dialect, code) {
            (Dialect::Query(_), THROTTLING) => ("Throttling", StatusCode::BAD_REQUEST),
            (Dialect::Query(_), ACCESS_DENIED) => ("AccessDenied", self.status),
            (Dialect::Query(_), VALIDATION) => ("ValidationError", self.status),
            (Dialect::Query(QueryService::Iam), INTERNAL) => ("ServiceFailure", self.status),
            (Dialect::Query(QueryService::Sts), INTERNAL) => ("InternalFailure", self.status),
            (Dialect::Ec2, THROTTLING) => ("RequestLimitExceeded", StatusCode::SERVICE_UNAVAILABLE),
            (Dialect::Ec2, ACCESS_DENIED) => ("UnauthorizedOperation", self.status),
            (Dialect::Ec2, VALIDATION) => ("InvalidParameterValue", self.status),
            (Dialect::Ec2, INTERNAL) => ("InternalError", self.status),
            _ => (code, self.status),
        }
    }

    fn json(&self) -> String {
        let mut body = Map::new();
        body.insert("message".to_owned(), Value::from(self.message.as_str()));
        for (name, value) in &self.members {
            body.insert((*name).to_owned(), Value::from(value.as_str()));
        }
        if let Some(id) = &self.decision {
            body.insert("decisionId".to_owned(), Value::from(id.as_str()));
        }
        Value::Object(body).to_string()
    }

    fn query(
        &self,
        service: QueryService,
        code: &str,
        status: StatusCode,
        request_id: &str,
    ) -> String {
        let sender = if status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::new();
        xml.root("ErrorResponse", service.namespace(), |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", sender)
                    .text("Code", code)
                    .text("Message", &self.message)
                    .optional("DecisionId", self.decision.as_deref());
            })
            .text("RequestId", request_id);
        });
        xml.finish()
    }

    fn ec2(&self, code: &str, request_id: &str) -> String {
        let mut xml = Xml::new();
        xml.element("Response", |xml| {
            xml.element("Errors", |xml| {
                xml.element("Error", |xml| {
                    xml.text("Code", code)
                        .text("Message", &self.message)
                        .optional("DecisionId", self.decision.as_deref());
                });
            })
            .text("RequestID", request_id);
        });
        xml.finish()
    }
}

const VALIDATION: &str = "ValidationException";
const ACCESS_DENIED: &str = "AccessDeniedException";
const THROTTLING: &str = "ThrottlingException";
const INTERNAL: &str = "InternalServerException";

/// Carries the request id on every answer, errors included.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// Carries the id of a refusal that can be explained, in every dialect and to package managers too.
pub const DECISION: HeaderName = HeaderName::from_static("x-packhouse-decision");
/// Carries the exception's name in REST-JSON.
pub const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const IAM: Dialect = Dialect::Query(QueryService::Iam);
    const STS: Dialect = Dialect::Query(QueryService::Sts);

    fn rendered(fault: &Fault, dialect: Dialect) -> (u16, Option<String>, String) {
        let response = fault.response(dialect, "id-1");
        assert_eq!(response.headers()[REQUEST_ID], "id-1");
        let name = response.headers().get(ERROR_TYPE);
        let name = name.map(|name| name.to_str().unwrap().to_owned());
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        (response.status().as_u16(), name, body)
    }

    #[test]
    fn json_faults_have_a_header_and_their_members() {
        for (fault, status, name, body) in [
            (
                Fault::not_found("domain", "d", "gone"),
                404,
                "ResourceNotFoundException",
                r#"{"message":"gone","resourceId":"d","resourceType":"domain"}"#,
            ),
            (
                Fault::conflict(None, "/npm/*", "exists"),
                409,
                "ConflictException",
                r#"{"message":"exists","resourceId":"/npm/*"}"#,
            ),
            (
                Fault::validation(Reason::CannotParse, "no \"JSON\""),
                400,
                "ValidationException",
                r#"{"message":"no \"JSON\"","reason":"CANNOT_PARSE"}"#,
            ),
            (
                Fault::quota_exceeded("repository", "r", "full"),
                402,
                "ServiceQuotaExceededException",
                r#"{"message":"full","resourceId":"r","resourceType":"repository"}"#,
            ),
            (
                Fault::access_denied("no"),
                403,
                "AccessDeniedException",
                r#"{"message":"no"}"#,
            ),
        ] {
            let expected = (status, Some(name.to_owned()), body.to_owned());
            assert_eq!(rendered(&fault, Dialect::RestJson), expected);
        }
    }

    #[test]
    fn throttling_says_when_to_come_back() {
        let response = Fault::throttling(3).response(Dialect::RestJson, "id-1");
        assert_eq!(response.status().as_u16(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "3");
    }

    #[test]
    fn shared_names_are_translated_for_the_query_services() {
        for (fault, dialect, status, code, kind) in [
            (
                Fault::access_denied("m"),
                IAM,
                403,
                "AccessDenied",
                "Sender",
            ),
            (Fault::throttling(1), STS, 400, "Throttling", "Sender"),
            (Fault::internal(), IAM, 500, "ServiceFailure", "Receiver"),
            (Fault::internal(), STS, 500, "InternalFailure", "Receiver"),
            (
                Fault::validation(Reason::Other, "m"),
                IAM,
                400,
                "ValidationError",
                "Sender",
            ),
            (
                Fault::new("NoSuchEntity", StatusCode::NOT_FOUND, "m"),
                IAM,
                404,
                "NoSuchEntity",
                "Sender",
            ),
        ] {
            let (found, name, body) = rendered(&fault, dialect);
            assert_eq!((found, name), (status, None), "{code}");
            let part = format!("<Error><Type>{kind}</Type><Code>{code}</Code><Message>");
            assert!(body.contains(&part), "{body}");
            assert!(body.ends_with("<RequestId>id-1</RequestId></ErrorResponse>"));
        }
    }

    #[test]
    fn refusals_name_their_decision_beside_the_message() {
        let fault = Fault::access_denied("no").decided("0198");
        for (dialect, body) in [
            (Dialect::RestJson, r#"{"decisionId":"0198","message":"no"}"#),
            (IAM, "<Message>no</Message><DecisionId>0198</DecisionId>"),
            (
                Dialect::Ec2,
                "<Message>no</Message><DecisionId>0198</DecisionId>",
            ),
        ] {
            let found = rendered(&fault, dialect).2;
            assert!(found.contains(body), "{found}");
            assert_eq!(fault.response(dialect, "id-1").headers()[DECISION], "0198");
        }
        let plain = Fault::access_denied("no").response(IAM, "id-1");
        assert_eq!(plain.headers().get(DECISION), None);
    }

    #[test]
    fn ec2_has_its_own_envelope() {
        let (status, _, body) = rendered(&Fault::access_denied("a<b"), Dialect::Ec2);
        assert_eq!(status, 403);
        assert_eq!(
            body,
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>a&lt;b</Message>\
             </Error></Errors><RequestID>id-1</RequestID></Response>"
        );
    }
}
