//! Every input member of every operation that is here: read where the model has it, and refused where the model refuses.

use serde_json::{Map, Value, json};

use crate::model::Member;
use crate::world::World;
use codeartifact::OPERATIONS;

/// A request with every member, each as the model allows it.
fn full(world: &World, operation: &str) -> Value {
    let mut members = Map::new();
    for member in world.model.inputs(operation) {
        let value = match member.place.as_str() {
            "payload" => json!("bytes"),
            _ => world.model.sample(&member.shape),
        };
        members.insert(member.name, value);
    }
    Value::Object(members)
}

/// Whether a fault is about a constraint of a member.
async fn complaint(world: &World, operation: &str, members: &Value) -> Option<(String, String)> {
    let fault = world
        .call_as(&world.root, operation, members.clone())
        .await
        .err()?;
    let reason = fault
        .members
        .iter()
        .find(|(name, _)| *name == "reason")?
        .1
        .clone();
    let about_form = fault.code == "ValidationException" && reason != "OTHER";
    about_form.then_some((reason, fault.message))
}

fn members(world: &World, operation: &str) -> Vec<Member> {
    let mut members = world.model.inputs(operation);
    members.retain(|member| member.place != "payload");
    members
}

#[tokio::test]
async fn inputs_that_the_model_allows_are_read() {
    let world = World::begin().await;
    for operation in OPERATIONS {
        let members = full(&world, operation.name);
        let found = complaint(&world, operation.name, &members).await;
        assert_eq!(found, None, "{} {members}", operation.name);
    }
}

#[tokio::test]
async fn every_constraint_of_every_member_is_checked() {
    let world = World::begin().await;
    let mut checked = 0;
    for operation in OPERATIONS {
        for member in members(&world, operation.name) {
            for (constraint, value) in world.model.violations(&member.shape) {
                // A tag without a value has an empty one, whatever the model says.
                if member.name == "tags" && constraint.contains("\"value\" is required") {
                    continue;
                }
                let mut members = full(&world, operation.name);
                members[&member.name] = value;
                let found = complaint(&world, operation.name, &members).await;
                // Tokens longer than the model's are read, because some of ours are, and then they are not ours.
                if member.shape == "PaginationToken" && constraint == "at most 2000 characters" {
                    assert_eq!(found, None);
                    continue;
                }
                let at = format!("{}.{}: {constraint}", operation.name, member.name);
                let (reason, message) = found.unwrap_or_else(|| panic!("{at} is not checked"));
                assert_eq!(reason, "FIELD_VALIDATION_FAILED", "{at}: {message}");
                assert!(
                    message.starts_with("1 validation error detected: "),
                    "{at}: {message}"
                );
                assert!(
                    message.contains(&format!(" at '{}", member.name)),
                    "{at}: {message}"
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 350, "only {checked}");
}

#[tokio::test]
async fn every_required_member_is_required() {
    let world = World::begin().await;
    for operation in OPERATIONS {
        for member in members(&world, operation.name) {
            let mut members = full(&world, operation.name);
            members.as_object_mut().unwrap().remove(&member.name);
            let found = complaint(&world, operation.name, &members).await;
            let at = format!("{}.{}", operation.name, member.name);
            if member.required {
                let expected = format!(
                    "1 validation error detected: Value null at '{}' failed to satisfy constraint: \
                     Member must not be null",
                    member.name
                );
                assert_eq!(
                    found,
                    Some(("FIELD_VALIDATION_FAILED".to_owned(), expected)),
                    "{at}"
                );
            } else if member.name == "namespace" && operation.name != "ListPackages" {
                let (_, message) = found.unwrap();
                assert_eq!(message, "a namespace is required", "{at}");
            } else {
                assert_eq!(found, None, "{at}");
            }
        }
    }
}

#[tokio::test]
async fn members_of_another_type_cannot_be_parsed() {
    let world = World::begin().await;
    for operation in OPERATIONS {
        for member in members(&world, operation.name) {
            let kind = world.model.shape(&member.shape)["type"].clone();
            let value = match (member.place.as_str(), kind.as_str().unwrap()) {
                ("query", "integer" | "long") => json!("many"),
                ("query", "boolean") => json!("maybe"),
                ("body", "string" | "list" | "map" | "structure") => json!(5),
                ("body", "integer" | "boolean") => json!("5"),
                _ => continue,
            };
            let mut members = full(&world, operation.name);
            members[&member.name] = value;
            let at = format!("{}.{}", operation.name, member.name);
            let (reason, message) = complaint(&world, operation.name, &members).await.unwrap();
            assert_eq!(reason, "CANNOT_PARSE", "{at}: {message}");
        }
    }
}

#[tokio::test]
async fn everything_that_is_wrong_is_said_at_once() {
    let world = World::begin().await;
    let members = json!({"domain": "X", "domainOwner": "1"});
    let (_, message) = complaint(&world, "DescribeDomain", &members).await.unwrap();
    assert_eq!(
        message,
        "2 validation errors detected: Value 'X' at 'domain' failed to satisfy constraint: Member must have \
         length greater than or equal to 2; Value '1' at 'domainOwner' failed to satisfy constraint: Member \
         must have length greater than or equal to 12"
    );
}
