//! Forms of the Query protocol.

use aws::Fault;
use aws::query::Form;
use aws::reader::Reader;

fn form(body: &str) -> Form {
    Form::parse(body.as_bytes()).unwrap()
}

type Tag = (String, Option<String>);

fn tags(form: &Form) -> Result<Option<Vec<Tag>>, Fault> {
    let mut read = Reader::of_form(form);
    let tags = read.form("Tags", "tags").optional_list_of(50, |item| {
        item.required_structure(|read| {
            let key = read.form("Key", "key").required();
            let value = read.form("Value", "value").optional();
            Some((key?, value?))
        })
    });
    read.finish(|| tags)
}

#[test]
fn a_form_has_an_action_a_version_and_decoded_values() {
    let form = form("Action=CreateRole&Version=2010-05-08&Description=EC2+build%2Bmachine&Flag");
    assert_eq!(form.action().unwrap(), "CreateRole");
    assert_eq!(form.version(), Some("2010-05-08"));
    assert_eq!(form.get("Description"), Some("EC2 build+machine"));
    assert_eq!(form.get("Flag"), Some(""));
    assert_eq!(form.get("Other"), None);
    let unknown = form.unknown_action();
    assert_eq!(unknown.code, "InvalidAction");
    let text = "Could not find operation CreateRole for version 2010-05-08";
    assert_eq!(unknown.message, text);
    assert_eq!(Form::default().action().unwrap_err().code, "MissingAction");
}

#[test]
fn broken_or_ambiguous_forms_are_refused() {
    for body in ["a=%zz", "a=1&a=1", "a=%ff"] {
        let fault = Form::parse(body.as_bytes()).unwrap_err();
        assert_eq!(fault.code, "MalformedQueryString", "{body}");
    }
    let query = [("Action".to_owned(), "GetCallerIdentity".to_owned())];
    assert!(Form::of_request(&query, b"Action=GetCallerIdentity").is_err());
    let form = Form::of_request(&query, b"").unwrap();
    assert_eq!(form.action().unwrap(), "GetCallerIdentity");
}

#[test]
fn lists_of_structures_are_read_in_the_order_of_their_numbers() {
    let pair = |key: &str, value: Option<&str>| (key.to_owned(), value.map(str::to_owned));
    for (body, expected) in [
        ("Action=X", None),
        ("Tags=", Some(vec![])),
        (
            "Tags.member.1.Key=a&Tags.member.1.Value=1",
            Some(vec![pair("a", Some("1"))]),
        ),
        (
            "Tags.member.10.Key=j&Tags.member.2.Key=b&Tags.member.2.Value=&TagsX.member.1.Key=no",
            Some(vec![pair("b", Some("")), pair("j", None)]),
        ),
    ] {
        assert_eq!(tags(&form(body)).unwrap(), expected, "{body}");
    }
    let fault = tags(&form("Tags.member.1.Value=1")).unwrap_err();
    assert_eq!(
        fault.message,
        "1 validation error detected: Value null at 'tags.1.member.key' failed to satisfy constraint: \
         Member must not be null"
    );
}

#[test]
fn lists_in_lists_and_flat_lists_are_read() {
    let form = form(
        "ContextEntries.member.1.ContextKeyName=k&ContextEntries.member.1.ContextKeyValues.member.1=v1\
         &ContextEntries.member.1.ContextKeyValues.member.2=v2\
         &Filter.1.Name=instance-id&Filter.1.Value.1=i-1&Filter.1.Value.2=i-2&InstanceId.1=i-3\
         &IamInstanceProfile.Name=p",
    );
    let mut read = Reader::of_form(&form);
    let entries = read
        .form("ContextEntries", "contextEntries")
        .required_list_of(9, |item| {
            item.required_structure(|read| {
                read.form("ContextKeyValues", "contextKeyValues")
                    .required_list::<String>(9)
            })
        });
    let filters = read.form("Filter", "filter").required_list_of(9, |item| {
        item.required_structure(|read| read.form("Value", "value").required_list::<String>(9))
    });
    let instances = read
        .form("InstanceId", "instanceId")
        .required_list::<String>(9);
    let profile = read
        .form("IamInstanceProfile", "iamInstanceProfile")
        .required_structure(|read| read.form("Name", "name").required::<String>());
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|&text| text.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(entries, Some(vec![texts(&["v1", "v2"])]));
    assert_eq!(filters, Some(vec![texts(&["i-1", "i-2"])]));
    assert_eq!(instances, Some(texts(&["i-3"])));
    assert_eq!(profile.as_deref(), Some("p"));
}
