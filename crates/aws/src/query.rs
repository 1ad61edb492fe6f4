//! The Query protocol of IAM and STS, and the EC2 corner's variant: forms in, XML out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use crate::fault::{Fault, QueryService, REQUEST_ID};
use crate::percent;
use crate::xml::Xml;

/// The parameters of a request: `Action=CreateUser&Version=2010-05-08&Tags.member.1.Key=team`.
///
/// Lists are `X.member.1`, structures in them `X.member.1.Y`; EC2 writes `X.1` and `X.1.Y`.
#[derive(Debug, Clone, Default)]
pub struct Form {
    parameters: BTreeMap<String, String>,
}

impl Form {
    /// Reads an `application/x-www-form-urlencoded` body, where `+` is a blank.
    ///
    /// Errors: `MalformedQueryString`, 400, for a broken escape or a repeated parameter.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        Self::of_request(&[], body)
    }

    /// Reads a request that may have its parameters in the query (presigned ones do), already
    /// decoded there ([`crate::sigv4::Claim::query`]), in the body, or in both.
    ///
    /// Errors: as [`Form::parse`]; a parameter in both places counts as repeated.
    pub fn of_request(query: &[(String, String)], body: &[u8]) -> Result<Self, Fault> {
        let malformed = || {
            Fault::new(
                "MalformedQueryString",
                StatusCode::BAD_REQUEST,
                "The query string contains a syntax error.",
            )
        };
        let body = std::str::from_utf8(body).map_err(|_| malformed())?;
        let pairs = percent::decode_pairs(body, true).ok_or_else(malformed)?;
        let mut parameters = BTreeMap::new();
        for (name, value) in query.iter().cloned().chain(pairs) {
            if parameters.insert(name, value).is_some() {
                return Err(malformed());
            }
        }
        Ok(Self { parameters })
    }

    /// The value of a parameter, by its whole name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// All parameters, by their whole names.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.parameters.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The operation's name, the parameter `Action`.
    ///
    /// Errors: `MissingAction`, 400.
    pub fn action(&self) -> Result<&str, Fault> {
        let action = self.get("Action").filter(|action| !action.is_empty());
        action.ok_or_else(|| {
            Fault::new(
                "MissingAction",
                StatusCode::BAD_REQUEST,
                "The request is missing an action or a required parameter.",
            )
        })
    }

    /// The protocol's version, which tells IAM (`2010-05-08`), STS (`2011-06-15`) and EC2
    /// (`2016-11-15`) apart.
    pub fn version(&self) -> Option<&str> {
        self.get("Version")
    }

    /// What to answer to an operation that does not exist here: `InvalidAction`, 400.
    pub fn unknown_action(&self) -> Fault {
        let action = self.get("Action").unwrap_or("");
        let version = self.version().unwrap_or("");
        Fault::new(
            "InvalidAction",
            StatusCode::BAD_REQUEST,
            format!("Could not find operation {action} for version {version}"),
        )
    }

    /// Whether there is a parameter of this name, or one inside it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name) || self.inside(name).next().is_some()
    }

    /// The names of a list's entries, `X.member.1`, …, in the order of their numbers. Gaps are
    /// closed. Empty for `X=`, which is how SDKs write an empty list.
    pub(crate) fn entries(&self, name: &str) -> Vec<String> {
        let member = format!("{name}.member");
        let list = if self.has(&member) { &member } else { name };
        let numbers: BTreeSet<u32> = self
            .inside(list)
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect();
        numbers.iter().map(|n| format!("{list}.{n}")).collect()
    }

    /// What follows `name.` in the names of parameters.
    fn inside<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let prefix = format!("{name}.");
        let range = (Bound::Included(prefix.clone()), Bound::Unbounded);
        self.parameters
            .range(range)
            .map_while(move |(name, _)| name.strip_prefix(&prefix))
    }
}

/// An answer of IAM or STS with a result: `<OpResponse><OpResult>…</OpResult>…`.
///
/// For operations that have an output in the service model, even an empty one (`UpdateRole`):
/// SDKs fail without the Result element, and with one where there is none.
pub fn query_response(
    operation: &str,
    service: QueryService,
    request_id: &str,
    result: impl FnOnce(&mut Xml),
) -> Response<Bytes> {
    wrapped(operation, service, request_id, |xml| {
        xml.element(&format!("{operation}Result"), result);
    })
}

/// An answer of an operation that has no output: metadata only.
pub fn query_empty_response(
    operation: &str,
    service: QueryService,
    request_id: &str,
) -> Response<Bytes> {
    wrapped(operation, service, request_id, |_| ())
}

fn wrapped(
    operation: &str,
    service: QueryService,
    request_id: &str,
    result: impl FnOnce(&mut Xml),
) -> Response<Bytes> {
    let mut xml = Xml::new();
    xml.root(
        &format!("{operation}Response"),
        service.namespace(),
        |xml| {
            result(xml);
            xml.element("ResponseMetadata", |xml| {
                xml.text("RequestId", request_id);
            });
        },
    );
    xml_response(xml, "text/xml", request_id)
}

/// An answer of the EC2 corner: the request id first, then the members, no Result element.
pub fn ec2_response(
    operation: &str,
    request_id: &str,
    members: impl FnOnce(&mut Xml),
) -> Response<Bytes> {
    let mut xml = Xml::new();
    let namespace = "http://ec2.amazonaws.com/doc/2016-11-15/";
    xml.root(&format!("{operation}Response"), namespace, |xml| {
        xml.text("requestId", request_id);
        members(xml);
    });
    xml_response(xml, "text/xml;charset=UTF-8", request_id)
}

fn xml_response(xml: Xml, content_type: &'static str, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(xml.finish()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}
