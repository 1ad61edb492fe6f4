//! Answers of `identity-wire.json`, byte for byte: one of each shape the writer has to make.

use aws::query::{Form, ec2_response, query_empty_response, query_response};
use aws::xml::Xml;
use aws::{Dialect, Fault, QueryService, Timestamp};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

const VECTORS: &str = include_str!("../vectors/identity-wire.json");
const REQUEST_ID: &str = "b8a8c3e2-5d4f-4f5a-9c3d-0123456789ab";
const CREATED: Timestamp = Timestamp::from_seconds(1_773_500_966);
const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[derive(Deserialize)]
struct Vectors {
    operations: Vec<Recorded>,
    errors: Vec<WireError>,
}

#[derive(Deserialize)]
struct Recorded {
    service: String,
    operation: String,
    request_body: String,
    response: String,
}

#[derive(Deserialize)]
struct WireError {
    service: String,
    code: String,
    http_status: u16,
    response: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(VECTORS).unwrap()
}

fn iam(operation: &str, result: impl FnOnce(&mut Xml)) -> Response<Bytes> {
    query_response(operation, QueryService::Iam, REQUEST_ID, result)
}

fn answer(operation: &str) -> Response<Bytes> {
    match operation {
        "DeleteUser" | "TagUser" => query_empty_response(operation, QueryService::Iam, REQUEST_ID),
        "UpdateRole" => iam(operation, |_| ()),
        "ListUsers" => iam(operation, |xml| {
            xml.list("Users", ["ci"], |xml, name| {
                xml.text("Path", "/build/")
                    .text("UserName", name)
                    .text("UserId", "AIDAQCIVECTOR0000001A")
                    .text("Arn", "arn:aws:iam::111122223333:user/build/ci")
                    .time("CreateDate", CREATED);
            })
            .text("IsTruncated", true)
            .text("Marker", "AAECi2");
        }),
        "CreateRole" => iam(operation, |xml| {
            xml.element("Role", |xml| {
                xml.text("Path", "/")
                    .text("RoleName", "ec2-ca")
                    .text("RoleId", "AROAQEC2CAVECTOR0001A")
                    .text("Arn", "arn:aws:iam::111122223333:role/ec2-ca")
                    .time("CreateDate", CREATED)
                    .document("AssumeRolePolicyDocument", TRUST);
            });
        }),
        "GetAccountSummary" => iam(operation, |xml| {
            xml.map(
                "SummaryMap",
                [
                    ("Users", 3),
                    ("UsersQuota", 5000),
                    ("Groups", 1),
                    ("Roles", 2),
                    ("Policies", 1),
                    ("AccessKeysPerUserQuota", 2),
                    ("PolicyVersionsInUseQuota", 10_000),
                    ("AccountMFAEnabled", 0),
                ],
            );
        }),
        "GetCallerIdentity" => query_response(operation, QueryService::Sts, REQUEST_ID, |xml| {
            xml.text("UserId", "AROAQEC2CAVECTOR0001A:i-0123456789abcdef0")
                .text("Account", "111122223333")
                .text(
                    "Arn",
                    "arn:aws:sts::111122223333:assumed-role/ec2-ca/i-0123456789abcdef0",
                );
        }),
        "DescribeIamInstanceProfileAssociations" => ec2_response(operation, REQUEST_ID, |xml| {
            xml.ec2_list("iamInstanceProfileAssociationSet", [()], |xml, ()| {
                xml.text("associationId", "iip-assoc-0123456789abcdef0")
                    .text("instanceId", "i-0123456789abcdef0")
                    .element("iamInstanceProfile", |xml| {
                        xml.text("arn", "arn:aws:iam::111122223333:instance-profile/ec2-ca")
                            .text("id", "AIPAQEC2CAVECTOR0001A");
                    })
                    .text("state", "associated");
            });
        }),
        other => panic!("{other}"),
    }
}

fn vector(operation: &str) -> Recorded {
    let mut operations = vectors().operations.into_iter();
    operations
        .find(|found| found.operation == operation)
        .unwrap()
}

#[test]
fn answers_of_every_shape_are_written_byte_for_byte() {
    for operation in [
        "DeleteUser",
        "TagUser",
        "UpdateRole",
        "ListUsers",
        "CreateRole",
        "GetAccountSummary",
        "GetCallerIdentity",
        "DescribeIamInstanceProfileAssociations",
    ] {
        let response = answer(operation);
        let text = std::str::from_utf8(response.body()).unwrap();
        assert_eq!(text, vector(operation).response);
        assert!(
            response.headers()["content-type"]
                .to_str()
                .unwrap()
                .starts_with("text/xml")
        );
        assert_eq!(response.headers()["x-amzn-requestid"], REQUEST_ID);
    }
}

#[test]
fn every_recorded_request_is_a_form_with_its_action_and_version() {
    let vectors = vectors();
    assert_eq!(vectors.operations.len(), 100);
    for recorded in vectors.operations {
        let form = Form::parse(recorded.request_body.as_bytes()).unwrap();
        assert_eq!(form.action().unwrap(), recorded.operation);
        let version = match recorded.service.as_str() {
            "iam" => "2010-05-08",
            "sts" => "2011-06-15",
            _ => "2016-11-15",
        };
        assert_eq!(form.version(), Some(version), "{}", recorded.operation);
    }
}

#[test]
fn recorded_errors_are_written_byte_for_byte() {
    for recorded in vectors().errors {
        let dialect = match recorded.service.as_str() {
            "iam" => Dialect::Query(QueryService::Iam),
            "sts" => Dialect::Query(QueryService::Sts),
            _ => Dialect::Ec2,
        };
        let (_, rest) = recorded.response.split_once("<Message>").unwrap();
        let (message, _) = rest.split_once("</Message>").unwrap();
        let status = StatusCode::from_u16(recorded.http_status).unwrap();
        let fault = match recorded.code.as_str() {
            "AccessDenied" => Fault::access_denied(message),
            _ => Fault::new(recorded.code, status, message),
        };
        let response = fault.response(dialect, REQUEST_ID);
        assert_eq!(response.status(), status);
        assert_eq!(response.body().as_ref(), recorded.response.as_bytes());
    }
}
