//! Our own operations on machines: who may, in which account, in which pages.

use aws::Fault;
use iam::MachineAnswer;
use iam::api::CreateMachine;

use crate::calls::allow;
use crate::house::House;
use crate::machines::{Agent, MACHINES};

on_each_database! {
    own_operations_are_permissions_and_stay_in_the_account,
    a_new_machine_with_a_role_needs_to_pass_it,
    machines_are_listed_in_pages,
}

async fn own_operations_are_permissions_and_stay_in_the_account(house: House) {
    let (id, _) = house.machine("build-01").await;
    let any = "arn:aws:ec2:us-east-1:111122223333:instance/*";
    let this = format!("arn:aws:ec2:us-east-1:111122223333:instance/{id}");
    let asked = CreateMachine {
        name: "build-02".to_owned(),
        instance_profile: None,
    };
    let (nobody, _) = house.user_with("nobody", "").await;
    for (operation, resource) in [
        ("CreateMachine", any),
        ("ListMachines", "*"),
        ("CreateEnrollmentCode", this.as_str()),
        ("DisableMachine", this.as_str()),
        ("DeleteMachine", this.as_str()),
    ] {
        let policy = allow(
            &format!("\"packhouse:{operation}\""),
            &format!("\"{resource}\""),
        );
        let (one, _) = house.user_with(operation, &policy).await;
        let answers = async |caller: &iam::Caller| -> [Result<(), Fault>; 5] {
            let iam = &house.iam;
            [
                iam.create_machine_for(caller, &asked).await.map(drop),
                iam.list_machines_for(caller, None).await.map(drop),
                iam.create_enrollment_code_for(caller, &id).await.map(drop),
                iam.disable_machine_for(caller, &id).await.map(drop),
                iam.delete_machine_for(caller, &id).await.map(drop),
            ]
        };
        let names = [
            "CreateMachine",
            "ListMachines",
            "CreateEnrollmentCode",
            "DisableMachine",
            "DeleteMachine",
        ];
        for (name, answer) in names.iter().zip(answers(&one).await) {
            assert_eq!(answer.is_ok(), *name == operation, "{operation}: {name}");
        }
        for (name, answer) in names.iter().zip(answers(&nobody).await) {
            let fault = answer.unwrap_err();
            assert_eq!(fault.code, "AccessDeniedException");
            let action = format!("packhouse:{name}");
            assert!(fault.message.contains(&action), "{}", fault.message);
        }
    }
    let (id, _) = house.machine("build-03").await;
    // Who may not see a machine does not learn whether it is there, and nobody sees another account's.
    let absent = "i-00000000000000000";
    let refused = |fault: Fault| fault.message.replace(absent, &id);
    let one = house.iam.disable_machine_for(&nobody, absent).await;
    let other = house.iam.disable_machine_for(&nobody, &id).await;
    assert_eq!(refused(one.unwrap_err()), refused(other.unwrap_err()));
    let foreign = house
        .iam
        .create_account(&"444455556666".parse().unwrap())
        .await
        .unwrap();
    let foreign = house.signed_in(&foreign.admin).await;
    let listed = house.iam.list_machines_for(&foreign, None).await.unwrap();
    assert!(listed.machines.is_empty());
    let fault = house.iam.disable_machine_for(&foreign, &id).await;
    assert_eq!(fault.unwrap_err().code, "ResourceNotFoundException");
}

async fn a_new_machine_with_a_role_needs_to_pass_it(house: House) {
    house.role_for("ec2-ca", MACHINES, "").await;
    house.profile("ec2-ca", "ec2-ca").await;
    house
        .admin("CreateInstanceProfile", &[("InstanceProfileName", "empty")])
        .await;
    let asked = |profile: &str| CreateMachine {
        name: "build-01".to_owned(),
        instance_profile: Some(profile.to_owned()),
    };
    for (actions, refused) in [
        (
            r#""packhouse:CreateMachine""#,
            Some("ec2:AssociateIamInstanceProfile"),
        ),
        (
            r#"["packhouse:CreateMachine","ec2:AssociateIamInstanceProfile"]"#,
            Some("iam:PassRole on resource: arn:aws:iam::111122223333:role/ec2-ca"),
        ),
        (
            r#"["packhouse:CreateMachine","ec2:AssociateIamInstanceProfile","iam:PassRole"]"#,
            None,
        ),
    ] {
        let name = format!("user-{}", actions.len());
        let (caller, _) = house.user_with(&name, &allow(actions, "\"*\"")).await;
        let made = house
            .iam
            .create_machine_for(&caller, &asked("ec2-ca"))
            .await;
        if let Some(action) = refused {
            let fault = made.map(drop).unwrap_err();
            assert!(fault.message.contains(action), "{}", fault.message);
        } else {
            let made = made.unwrap_or_else(|fault| panic!("{fault}"));
            let agent = Agent::enroll(&house, &made.enrollment_code).await;
            let told = agent.unwrap().ask(&house).await;
            assert!(matches!(told, Ok(MachineAnswer::Session(..))));
        }
    }
    let admin = house.signed_in(&house.keys.admin).await;
    for (profile, code) in [
        ("absent", "ResourceNotFoundException"),
        ("empty", "ValidationException"),
    ] {
        let made = house.iam.create_machine_for(&admin, &asked(profile)).await;
        assert_eq!(made.map(drop).unwrap_err().code, code, "{profile}");
    }
}

async fn machines_are_listed_in_pages(house: House) {
    let admin = house.signed_in(&house.keys.admin).await;
    let mut made = Vec::new();
    for number in 0..105 {
        made.push(house.machine(&format!("build-{number}")).await.0);
    }
    made.sort();
    let first = house.iam.list_machines_for(&admin, None).await.unwrap();
    assert_eq!(first.machines.len(), 100);
    let token = first.next_token.unwrap();
    let second = house
        .iam
        .list_machines_for(&admin, Some(&token))
        .await
        .unwrap();
    assert!(second.next_token.is_none());
    let all = first.machines.iter().chain(&second.machines);
    let all: Vec<_> = all.map(|machine| machine.machine_id.clone()).collect();
    assert_eq!(all, made);
    let fault = house.iam.list_machines_for(&admin, Some("nonsense")).await;
    assert_eq!(fault.unwrap_err().code, "ValidationException");
}
