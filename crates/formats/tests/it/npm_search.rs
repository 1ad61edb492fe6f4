//! npm's search of what a repository has.

use catalog::Status;
use serde_json::{Value, json};

use crate::npm::{json_of, packed, publication, put, set_status};
use crate::world::World;

#[tokio::test]
async fn search_finds_what_is_here_by_name_description_and_keyword() {
    let world = World::new().await;
    for (name, description, keyword) in [
        ("@acme/leaf", "Green thing", "tree"),
        ("stone", "grey thing", "rock"),
        ("twig", "brown", "tree"),
    ] {
        let package = json!({"name": name, "version": "1.0.0", "description": description, "keywords": [keyword]});
        put(
            &world,
            "app",
            name,
            &publication(&package, &packed(&package), "latest"),
        )
        .await;
    }
    for (query, names) in [
        ("text=thing", vec!["stone", "@acme/leaf"]),
        ("text=TREE", vec!["twig", "@acme/leaf"]),
        ("text=keywords:tree", vec!["twig", "@acme/leaf"]),
        ("text=thing+green", vec!["@acme/leaf"]),
        ("text=twi", vec!["twig"]),
        ("text=@acme/le", vec!["@acme/leaf"]),
        ("text=scope:acme", vec!["@acme/leaf"]),
        ("text=@acme/twig", vec![]),
        ("text=nothing", vec![]),
        ("text=--", vec![]),
        ("text=", vec!["stone", "twig", "@acme/leaf"]),
        ("", vec!["stone", "twig", "@acme/leaf"]),
    ] {
        let found = json_of(&world.get(&format!("npm/app/-/v1/search?{query}")).await);
        assert_eq!(found["total"], names.len(), "{query}");
        assert_eq!(sorted(names_of(&found)), sorted(names), "{query}");
    }
    let mut all = Vec::new();
    for from in 0..4 {
        let query = format!("npm/app/-/v1/search?text=&size=1&from={from}");
        let found = json_of(&world.get(&query).await);
        assert_eq!(found["total"], 3);
        all.extend(names_of(&found).into_iter().map(ToOwned::to_owned));
    }
    assert_eq!(sorted(all), ["@acme/leaf", "stone", "twig"]);
}

fn names_of(found: &Value) -> Vec<&str> {
    let objects = found["objects"].as_array().unwrap().iter();
    objects
        .map(|one| one["package"]["name"].as_str().unwrap())
        .collect()
}

fn sorted<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all
}

#[tokio::test]
async fn search_shows_what_latest_names_and_nothing_that_is_not_listed() {
    let world = World::new().await;
    for (version, description, tag) in
        [("1.0.0", "the old", "latest"), ("2.0.0", "the new", "next")]
    {
        let package = json!({"name": "twig", "version": version, "description": description, "homepage": "https://twig.test"});
        let body = publication(&package, &packed(&package), tag);
        assert_eq!(put(&world, "app", "twig", &body).await.status, 201);
    }
    let search = async |text: &str| {
        let found = world.get(&format!("npm/app/-/v1/search?text={text}")).await;
        json_of(&found)["objects"].as_array().unwrap().clone()
    };
    let found = &search("twig").await[0]["package"];
    assert_eq!(found["version"], "1.0.0");
    assert_eq!(found["description"], "the old");
    assert_eq!(found["links"], json!({"homepage": "https://twig.test"}));
    set_status(&world, "app", "twig", "1.0.0", Status::Unlisted).await;
    let found = &search("twig").await[0]["package"];
    assert_eq!(
        (&found["version"], &found["description"]),
        (&json!("2.0.0"), &json!("the new"))
    );
    set_status(&world, "app", "twig", "2.0.0", Status::Archived).await;
    assert_eq!(search("twig").await, Vec::<Value>::new());
}
