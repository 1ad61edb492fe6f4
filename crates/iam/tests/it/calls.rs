//! Calls of IAM and STS as clients make them, and their answers as clients read them.

use aws::Fault;
use aws::percent::encode;
use aws::query::Form;
use aws::sigv4::Credentials;
use iam::Caller;
use quick_xml::Reader;
use quick_xml::events::Event;

use crate::house::House;

/// One element of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    pub(crate) fn parse(xml: &str) -> Self {
        let mut reader = Reader::from_str(xml);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => open.push(Self {
                    name: String::from_utf8(start.name().as_ref().to_vec()).unwrap(),
                    ..Self::default()
                }),
                Event::Text(text) => {
                    let text = text.decode().unwrap();
                    open.last_mut().unwrap().text.push_str(&text);
                }
                Event::GeneralRef(entity) => {
                    let entity = entity.decode().unwrap();
                    let text = quick_xml::escape::unescape(&format!("&{entity};"))
                        .unwrap()
                        .into_owned();
                    open.last_mut().unwrap().text.push_str(&text);
                }
                Event::End(_) => {
                    let done = open.pop().unwrap();
                    open.last_mut().unwrap().children.push(done);
                }
                Event::Empty(empty) => {
                    let name = String::from_utf8(empty.name().as_ref().to_vec()).unwrap();
                    open.last_mut().unwrap().children.push(Self {
                        name,
                        ..Self::default()
                    });
                }
                Event::Eof => break,
                other => panic!("{other:?}"),
            }
        }
        open.remove(0).children.remove(0)
    }

    pub(crate) fn find(&self, path: &str) -> Option<&Self> {
        path.split('/').try_fold(self, |element, name| {
            element.children.iter().find(|child| child.name == name)
        })
    }

    /// The text at `User/Arn`.
    pub(crate) fn text(&self, path: &str) -> &str {
        let found = self.find(path);
        &found
            .unwrap_or_else(|| panic!("no {path} in {self:#?}"))
            .text
    }

    /// The texts of `path` in each member of a list; of the members themselves when `path` is empty.
    pub(crate) fn texts(&self, list: &str, path: &str) -> Vec<&str> {
        let list = self
            .find(list)
            .unwrap_or_else(|| panic!("no {list} in {self:#?}"));
        let members = list.children.iter();
        members
            .map(|member| {
                if path.is_empty() {
                    member.text.as_str()
                } else {
                    member.text(path)
                }
            })
            .collect()
    }
}

/// A form of IAM, or of STS where the operation is one of its own.
pub(crate) fn form(operation: &str, parameters: &[(&str, &str)]) -> String {
    let sts = [
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
        "GetSessionToken",
        "GetAccessKeyInfo",
        "GetCallerIdentity",
    ];
    let version = if sts.contains(&operation) {
        "2011-06-15"
    } else {
        "2010-05-08"
    };
    let mut form = format!("Action={operation}&Version={version}");
    for (name, value) in parameters {
        form = format!("{form}&{name}={}", encode(value));
    }
    form
}

impl House {
    /// The result of a call, the element inside the response.
    pub(crate) async fn send(&self, caller: &Caller, body: &str) -> Result<Element, Fault> {
        let form = Form::parse(body.as_bytes()).unwrap();
        let answer = self.iam.call(caller, &form, "id").await?;
        let xml = Element::parse(std::str::from_utf8(answer.body()).unwrap());
        let operation = form.action().unwrap();
        assert_eq!(xml.name, format!("{operation}Response"));
        let mut parts = xml.children.into_iter();
        let first = parts.next().unwrap();
        Ok(if first.name == "ResponseMetadata" {
            Element::default()
        } else {
            assert_eq!(first.name, format!("{operation}Result"));
            first
        })
    }

    pub(crate) async fn call(
        &self,
        caller: &Caller,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Element, Fault> {
        self.send(caller, &form(operation, parameters)).await
    }

    /// A call that must go well, by the administrator.
    pub(crate) async fn admin(&self, operation: &str, parameters: &[(&str, &str)]) -> Element {
        let admin = self.signed_in(&self.keys.admin).await;
        match self.call(&admin, operation, parameters).await {
            Ok(answer) => answer,
            Err(fault) => panic!("{operation} {parameters:?}: {fault}"),
        }
    }

    /// A call that must fail, by the administrator: its code and text.
    pub(crate) async fn refused(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let admin = self.signed_in(&self.keys.admin).await;
        let fault = self.call(&admin, operation, parameters).await;
        let fault = fault.expect_err(operation);
        format!("{} {} {}", fault.status.as_u16(), fault.code, fault.message)
    }

    /// A user with one inline policy, who has just signed in; and its key.
    pub(crate) async fn user_with(&self, name: &str, policy: &str) -> (Caller, Credentials) {
        let (user, keys) = self.user(name).await;
        if !policy.is_empty() {
            self.iam
                .put_inline_policy(&user.id, "own", policy)
                .await
                .unwrap();
        }
        (self.signed_in(&keys).await, keys)
    }

    /// A role that these principals may take: the value of `Principal`, and a condition.
    pub(crate) async fn role_for(&self, name: &str, principal: &str, condition: &str) -> String {
        let trust = trust(principal, condition);
        let role = self
            .admin(
                "CreateRole",
                &[("RoleName", name), ("AssumeRolePolicyDocument", &trust)],
            )
            .await;
        role.text("Role/Arn").to_owned()
    }
}

/// A trust policy that lets somebody take a role, with tags and a source identity.
pub(crate) fn trust(principal: &str, condition: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},
        "Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"],"Condition":{{{condition}}}}}]}}"#
    )
}

/// A policy that allows these actions, a JSON value, on these resources, another.
pub(crate) fn allow(actions: &str, resources: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":{actions},"Resource":{resources}}}]}}"#
    )
}

/// Temporary credentials out of an answer.
pub(crate) fn credentials(answer: &Element) -> Credentials {
    Credentials {
        access_key_id: answer.text("Credentials/AccessKeyId").parse().unwrap(),
        secret_access_key: answer.text("Credentials/SecretAccessKey").into(),
        session_token: Some(answer.text("Credentials/SessionToken").into()),
    }
}
