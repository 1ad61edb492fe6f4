//! The EC2 corner as clients call it: the samples of `vectors/identity-wire.json`, errors in EC2's words, permissions.

use aws::percent::encode;
use aws::query::Form;
use aws::{Dialect, Fault};
use iam::Caller;
use iam::api::EC2_OPERATIONS;
use serde_json::Value;

use crate::calls::{Element, allow};
use crate::house::House;
use crate::machines::Agent;
use crate::wire::shape;

on_each_database! {
    every_sample_is_accepted_and_answered_in_its_shape,
    what_is_wrong_is_said_in_the_words_of_ec2,
    binding_is_a_permission_on_the_machine_and_on_the_role,
    lists_are_filtered_and_paged,
    machines_of_other_accounts_are_not_there,
}

const PROFILE: (&str, &str) = ("IamInstanceProfile.Name", "ec2-ca");

impl House {
    pub(crate) async fn ec2(
        &self,
        caller: &Caller,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Element, Fault> {
        let mut body = format!("Action={operation}&Version=2016-11-15");
        for (name, value) in parameters {
            body = format!("{body}&{name}={}", encode(value));
        }
        self.ec2_send(caller, &body).await
    }

    async fn ec2_send(&self, caller: &Caller, body: &str) -> Result<Element, Fault> {
        let form = Form::parse(body.as_bytes()).unwrap();
        let answer = self.iam.call_ec2(caller, &form, "id").await?;
        let xml = std::str::from_utf8(answer.body()).unwrap();
        Ok(Element::parse(xml))
    }

    pub(crate) async fn ec2_admin(
        &self,
        operation: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Element, Fault> {
        let admin = self.signed_in(&self.keys.admin).await;
        self.ec2(&admin, operation, parameters).await
    }

    /// Code and text as the client reads them.
    async fn ec2_refused(&self, operation: &str, parameters: &[(&str, &str)]) -> String {
        let fault = self.ec2_admin(operation, parameters).await;
        in_ec2(&fault.unwrap_err())
    }

    /// Two roles in profiles of their names, and a machine.
    async fn profiles_and_machine(&self) -> String {
        for name in ["ec2-ca", "other"] {
            self.role_for(name, r#"{"Service":"ec2.amazonaws.com"}"#, "")
                .await;
            self.profile(name, name).await;
        }
        self.machine("build-01").await.0
    }
}

fn in_ec2(fault: &Fault) -> String {
    let response = fault.response(Dialect::Ec2, "id");
    let xml = Element::parse(std::str::from_utf8(response.body()).unwrap());
    let error = xml.find("Errors/Error").unwrap();
    let (code, message) = (error.text("Code"), error.text("Message"));
    format!("{} {code} {message}", response.status().as_u16())
}

async fn every_sample_is_accepted_and_answered_in_its_shape(house: House) {
    let vectors: Value =
        serde_json::from_str(include_str!("../vectors/identity-wire.json")).unwrap();
    let samples = vectors["operations"].as_array().unwrap();
    let samples: Vec<_> = samples
        .iter()
        .filter(|sample| sample["service"] == "ec2")
        .collect();
    let mut names: Vec<_> = samples
        .iter()
        .map(|sample| sample["operation"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let known: Vec<_> = EC2_OPERATIONS.iter().map(|it| it.name).collect();
    assert_eq!(names, known);
    let id = house.profiles_and_machine().await;
    let mut association = String::new();
    // The order in which they lead on from each other.
    for operation in [
        "AssociateIamInstanceProfile",
        "DescribeIamInstanceProfileAssociations",
        "DescribeInstances",
        "ReplaceIamInstanceProfileAssociation",
        "DisassociateIamInstanceProfile",
    ] {
        let sample = samples.iter().find(|it| it["operation"] == operation);
        let sample = sample.unwrap();
        let text = |member: &str| sample[member].as_str().unwrap();
        let body = text("request_body")
            .replace("i-0123456789abcdef0", &id)
            .replace("iip-assoc-0123456789abcdef0", &association);
        let admin = house.signed_in(&house.keys.admin).await;
        let answer = house.ec2_send(&admin, &body).await;
        let answer = answer.unwrap_or_else(|fault| panic!("{operation}: {fault}"));
        let expected = Element::parse(text("response"));
        assert_eq!(shape(&answer), shape(&expected), "{operation}");
        let state = "iamInstanceProfileAssociation/state";
        if let Some(expected) = expected.find(state) {
            assert_eq!(answer.text(state), expected.text, "{operation}");
        }
        let bound = "iamInstanceProfileAssociation/associationId";
        if let Some(bound) = answer.find(bound) {
            association.clone_from(&bound.text);
        }
    }
}

async fn what_is_wrong_is_said_in_the_words_of_ec2(house: House) {
    let id = house.profiles_and_machine().await;
    house
        .admin("CreateInstanceProfile", &[("InstanceProfileName", "empty")])
        .await;
    let machine = ("InstanceId", id.as_str());
    let absent = "i-00000000000000000";
    for (operation, parameters, expected) in [
        (
            "AssociateIamInstanceProfile",
            vec![PROFILE],
            "400 MissingParameter The request must contain the parameter InstanceId".to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![machine],
            "400 MissingParameter The request must contain the parameter IamInstanceProfile".to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![("InstanceId", "i-1"), PROFILE],
            "400 InvalidInstanceID.Malformed Invalid id: \"i-1\"".to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![("InstanceId", absent), PROFILE],
            format!("400 InvalidInstanceID.NotFound The instance ID '{absent}' does not exist"),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![machine, ("IamInstanceProfile.Name", "absent")],
            "400 InvalidParameterValue Value (absent) for parameter iamInstanceProfile.name is invalid. \
             Invalid IAM Instance Profile name"
                .to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![machine, ("IamInstanceProfile.Arn", "arn:aws:iam::444455556666:instance-profile/ec2-ca")],
            "400 InvalidParameterValue Value (arn:aws:iam::444455556666:instance-profile/ec2-ca) for parameter \
             iamInstanceProfile.arn is invalid. Invalid IAM Instance Profile ARN"
                .to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![machine, ("IamInstanceProfile.Name", "empty")],
            "400 InvalidParameterValue IAM Instance Profile \"arn:aws:iam::111122223333:instance-profile/empty\" has no \
             associated IAM Roles"
                .to_owned(),
        ),
        (
            "AssociateIamInstanceProfile",
            vec![machine, PROFILE, ("IamInstanceProfile.Arn", "x")],
            "400 InvalidParameterCombination The parameter 'iamInstanceProfile.name' may not be used in combination with \
             'iamInstanceProfile.arn'"
                .to_owned(),
        ),
        (
            "DisassociateIamInstanceProfile",
            vec![("AssociationId", "iip-assoc-1")],
            "400 InvalidAssociationID.NotFound The association ID 'iip-assoc-1' does not exist".to_owned(),
        ),
        (
            "ReplaceIamInstanceProfileAssociation",
            vec![("AssociationId", "iip-assoc-1"), PROFILE],
            "400 InvalidAssociationID.NotFound The association ID 'iip-assoc-1' does not exist".to_owned(),
        ),
        (
            "DescribeInstances",
            vec![("InstanceId.1", absent)],
            format!("400 InvalidInstanceID.NotFound The instance ID '{absent}' does not exist"),
        ),
        (
            "DescribeInstances",
            vec![("Filter.1.Name", "colour"), ("Filter.1.Value.1", "blue")],
            "400 InvalidParameterValue The filter 'colour' is invalid".to_owned(),
        ),
        (
            "DescribeInstances",
            vec![("NextToken", "nonsense")],
            "400 InvalidParameterValue Unable to parse pagination token".to_owned(),
        ),
        (
            "DescribeInstances",
            vec![("DryRun", "true")],
            "412 DryRunOperation Request would have succeeded, but DryRun flag is set.".to_owned(),
        ),
        (
            "RunInstances",
            vec![],
            "400 InvalidAction Could not find operation RunInstances for version 2016-11-15".to_owned(),
        ),
    ] {
        let said = house.ec2_refused(operation, &parameters).await;
        assert_eq!(said, expected, "{operation} {parameters:?}");
    }
    let by_arn = (
        "IamInstanceProfile.Arn",
        "arn:aws:iam::111122223333:instance-profile/ec2-ca",
    );
    house
        .ec2_admin("AssociateIamInstanceProfile", &[machine, by_arn])
        .await
        .unwrap();
    assert_eq!(
        house
            .ec2_refused("AssociateIamInstanceProfile", &[machine, PROFILE])
            .await,
        format!("400 IncorrectState There is an existing association for instance {id}")
    );
}

async fn binding_is_a_permission_on_the_machine_and_on_the_role(house: House) {
    let id = house.profiles_and_machine().await;
    let machine = ("InstanceId", id.as_str());
    let instance = format!("arn:aws:ec2:us-east-1:111122223333:instance/{id}");
    let role = "arn:aws:iam::111122223333:role/ec2-ca";
    let two = |machine: &str, role: &str, service: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Action":"ec2:AssociateIamInstanceProfile","Resource":"{machine}"}},
            {{"Effect":"Allow","Action":"iam:PassRole","Resource":"{role}","Condition":{{"StringEquals":{{
              "iam:PassedToService":"{service}"}}}}}}]}}"#
        )
    };
    let (ec2, other) = ("ec2.amazonaws.com", "arn:aws:iam::111122223333:role/other");
    for (number, (policy, refused)) in [
        (
            String::new(),
            Some(format!(
                "ec2:AssociateIamInstanceProfile on resource: {instance}"
            )),
        ),
        (
            two("arn:aws:ec2:us-east-1:111122223333:instance/i-0", role, ec2),
            Some(format!(
                "ec2:AssociateIamInstanceProfile on resource: {instance}"
            )),
        ),
        (
            two(&instance, other, ec2),
            Some(format!("iam:PassRole on resource: {role}")),
        ),
        (
            two(&instance, role, "lambda.amazonaws.com"),
            Some(format!("iam:PassRole on resource: {role}")),
        ),
        (two(&instance, role, ec2), None),
    ]
    .into_iter()
    .enumerate()
    {
        let (caller, _) = house.user_with(&format!("user-{number}"), &policy).await;
        let bound = house
            .ec2(&caller, "AssociateIamInstanceProfile", &[machine, PROFILE])
            .await;
        match refused {
            Some(refused) => {
                let said = in_ec2(&bound.unwrap_err());
                let start = format!(
                    "403 UnauthorizedOperation You are not authorized to perform this operation. User: {} is not \
                     authorized to perform: {refused}",
                    caller.arn()
                );
                assert!(said.starts_with(&start), "{said}");
            }
            None => drop(bound.unwrap()),
        }
        // Neither is it learnt whether there is such a machine or association.
        if policy.is_empty() {
            let absent = [("InstanceId", "i-00000000000000000"), PROFILE];
            let one = house
                .ec2(&caller, "AssociateIamInstanceProfile", &absent)
                .await;
            assert!(in_ec2(&one.unwrap_err()).contains("UnauthorizedOperation"));
            for operation in [
                "DisassociateIamInstanceProfile",
                "ReplaceIamInstanceProfileAssociation",
            ] {
                let absent = [("AssociationId", "iip-assoc-1"), PROFILE];
                let one = house.ec2(&caller, operation, &absent).await;
                assert!(in_ec2(&one.unwrap_err()).contains("UnauthorizedOperation"));
            }
            for operation in [
                "DescribeInstances",
                "DescribeIamInstanceProfileAssociations",
            ] {
                let one = house.ec2(&caller, operation, &[]).await;
                assert!(in_ec2(&one.unwrap_err()).contains("UnauthorizedOperation"));
            }
        }
    }
    // To replace needs the same of the new role.
    let listed = house
        .ec2_admin("DescribeIamInstanceProfileAssociations", &[])
        .await
        .unwrap();
    let association =
        listed.texts("iamInstanceProfileAssociationSet", "associationId")[0].to_owned();
    let replace = [
        ("AssociationId", association.as_str()),
        ("IamInstanceProfile.Name", "other"),
    ];
    let policy = allow(r#""ec2:ReplaceIamInstanceProfileAssociation""#, "\"*\"");
    let (caller, _) = house.user_with("replacer", &policy).await;
    let replaced = house
        .ec2(&caller, "ReplaceIamInstanceProfileAssociation", &replace)
        .await;
    let said = in_ec2(&replaced.unwrap_err());
    assert!(
        said.contains(&format!("iam:PassRole on resource: {other}")),
        "{said}"
    );
}

async fn lists_are_filtered_and_paged(house: House) {
    let first = house.profiles_and_machine().await;
    let mut ids = vec![first.clone()];
    for name in ["build-02", "build-03", "test-01"] {
        let (id, code) = house.machine(name).await;
        if name == "test-01" {
            Agent::enroll(&house, &code).await.unwrap();
        }
        ids.push(id);
    }
    house.bind(&first, "ec2-ca").await;
    let instance = "instancesSet/item/instanceId";
    let listed = async |parameters: &[(&str, &str)]| -> Vec<String> {
        let answer = house
            .ec2_admin("DescribeInstances", parameters)
            .await
            .unwrap();
        let found = answer.texts("reservationSet", instance);
        found.into_iter().map(str::to_owned).collect()
    };
    let filter = |name: &'static str, value: &'static str| {
        vec![("Filter.1.Name", name), ("Filter.1.Value.1", value)]
    };
    let mut sorted = ids.clone();
    sorted.sort();
    assert_eq!(listed(&[]).await, sorted);
    assert_eq!(listed(&[("InstanceId.1", &ids[1])]).await, ids[1..2]);
    assert_eq!(listed(&filter("tag:Name", "test-*")).await, ids[3..]);
    assert_eq!(
        listed(&filter("instance-state-name", "running")).await,
        ids[3..]
    );
    assert_eq!(listed(&filter("state", "pending")).await.len(), 3);
    let arn = "arn:aws:iam::111122223333:instance-profile/ec2-ca";
    assert_eq!(
        listed(&filter("iam-instance-profile.arn", arn)).await,
        ids[..1]
    );
    assert!(listed(&filter("instance-id", "i-0")).await.is_empty());
    // In pages of one the same comes out.
    let mut paged = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let mut parameters = vec![("MaxResults", "1")];
        if let Some(token) = &token {
            parameters.push(("NextToken", token));
        }
        let answer = house
            .ec2_admin("DescribeInstances", &parameters)
            .await
            .unwrap();
        let found = answer.texts("reservationSet", instance);
        paged.extend(found.into_iter().map(str::to_owned));
        match answer.find("nextToken") {
            Some(next) => token = Some(next.text.clone()),
            None => break,
        }
    }
    assert_eq!(paged, sorted);
    let associations = house
        .ec2_admin(
            "DescribeIamInstanceProfileAssociations",
            &filter("state", "associated"),
        )
        .await
        .unwrap();
    assert_eq!(
        associations.texts("iamInstanceProfileAssociationSet", "instanceId"),
        [first.as_str()]
    );
}

async fn machines_of_other_accounts_are_not_there(house: House) {
    let id = house.profiles_and_machine().await;
    let association = house.bind(&id, "ec2-ca").await;
    let foreign = house
        .iam
        .create_account(&"444455556666".parse().unwrap())
        .await
        .unwrap();
    let foreign = house.signed_in(&foreign.admin).await;
    for (operation, parameters, expected) in [
        (
            "DescribeInstances",
            vec![("InstanceId.1", id.as_str())],
            "InvalidInstanceID.NotFound",
        ),
        (
            "DescribeIamInstanceProfileAssociations",
            vec![("AssociationId.1", association.as_str())],
            "InvalidAssociationID.NotFound",
        ),
        (
            "DisassociateIamInstanceProfile",
            vec![("AssociationId", association.as_str())],
            "InvalidAssociationID.NotFound",
        ),
        (
            "AssociateIamInstanceProfile",
            vec![("InstanceId", id.as_str()), PROFILE],
            "InvalidInstanceID.NotFound",
        ),
    ] {
        let fault = house.ec2(&foreign, operation, &parameters).await;
        assert_eq!(fault.unwrap_err().code, expected, "{operation}");
    }
    let listed = house.ec2(&foreign, "DescribeInstances", &[]).await.unwrap();
    assert!(listed.find("reservationSet").unwrap().children.is_empty());
}
