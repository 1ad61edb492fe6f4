//! The tree of groups and what is associated with it, as tables and against asking every group in turn.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::pattern::Looks;
use super::tree::Alone;
use super::*;
use crate::names::PackageId;

fn domain() -> Arc<Domain> {
    Arc::new(Domain {
        id: "1".into(),
        arn: "arn:aws:codeartifact:eu-central-1:111122223333:domain/d".to_owned(),
        number: 1,
        owner: "111122223333".parse().unwrap(),
        name: "dd".parse().unwrap(),
        encryption_key: String::new(),
        created: Timestamp::from_millis(0),
        tags: Vec::new(),
        policy: None,
    })
}

fn package(path: &str) -> PackageId {
    let parts: Vec<_> = path.split('/').collect();
    PackageId {
        format: parts[1].parse().unwrap(),
        namespace: (!parts[2].is_empty()).then(|| parts[2].parse().unwrap()),
        name: parts[3].parse().unwrap(),
    }
}

/// A group with modes for EXTERNAL, INTERNAL, PUBLISH, by their first letters.
fn group(pattern: &str, modes: &str) -> Alone {
    let mode = |letter| match letter {
        'A' => GroupMode::Allow,
        'S' => GroupMode::AllowSpecificRepositories,
        'B' => GroupMode::Block,
        _ => GroupMode::Inherit,
    };
    let modes: Vec<_> = modes.chars().map(mode).collect();
    Alone {
        modes: modes.try_into().unwrap(),
        ..Alone::new(pattern.parse().unwrap(), Timestamp::from_millis(0))
    }
}

fn groups(all: Vec<Alone>) -> Groups {
    Groups::new(&domain(), all)
}

fn parent_of<'a>(groups: &'a Groups, pattern: &str) -> Option<&'a str> {
    let parent = groups.find(pattern).unwrap().parent.as_ref();
    parent.map(|parent| parent.pattern.as_str())
}

/// "upstreams-and-origin" 7.8.
#[test]
fn the_worked_example_of_the_guide() {
    let groups = groups(vec![
        group("/npm/anycompany/*", "BAA"),
        group("/npm/anycompany/ui~", "III"),
        group("/npm/anycompany/ui-legacy$", "IIB"),
    ]);
    let repository = "my-repository".parse().unwrap();
    for (path, pattern, how, [publish, external, internal]) in [
        (
            "/npm/anycompany/core",
            "/npm/anycompany/*",
            "STRONG",
            [true, false, true],
        ),
        (
            "/npm/anycompany/ui-kit",
            "/npm/anycompany/ui~",
            "STRONG",
            [true, false, true],
        ),
        (
            "/npm/anycompany/uikit",
            "/npm/anycompany/*",
            "STRONG",
            [true, false, true],
        ),
        (
            "/npm/anycompany/ui-legacy",
            "/npm/anycompany/ui-legacy$",
            "STRONG",
            [false, false, true],
        ),
        (
            "/npm/anycompany/ui_legacy",
            "/npm/anycompany/ui-legacy$",
            "WEAK",
            [false; 3],
        ),
        (
            "/npm/anycompany/UI-kit",
            "/npm/anycompany/ui~",
            "WEAK",
            [false; 3],
        ),
        (
            "/npm/AnyCompany/core",
            "/npm/anycompany/*",
            "WEAK",
            [false; 3],
        ),
        ("/npm//lodash", "/*", "STRONG", [true; 3]),
    ] {
        let (group, found) = groups.associate(&package(path)).unwrap();
        assert_eq!(
            (group.pattern.as_str(), found.as_str()),
            (pattern, how),
            "{path}"
        );
        for (restriction, expected) in [
            (GroupRestriction::Publish, publish),
            (GroupRestriction::ExternalUpstream, external),
            (GroupRestriction::InternalUpstream, internal),
        ] {
            let allows =
                found == Association::Strong && group.rule(restriction).allows(&repository);
            assert_eq!(allows, expected, "{path} {restriction}");
        }
    }
}

#[test]
fn what_is_inherited_is_mode_and_list_of_the_nearest_that_has_its_own() {
    let mut middle = group("/npm/a/*", "SBI");
    middle.allowed[0] = BTreeSet::from(["store".parse().unwrap()]);
    let all = vec![
        group("/*", "AAB"),
        middle,
        group("/npm/a/b$", "IIA"),
        group("/npm/a/b~", "III"),
    ];
    let groups = groups(all.clone());
    let rule =
        |groups: &Groups, restriction| groups.find("/npm/a/b$").unwrap().rule(restriction).clone();
    let external = rule(&groups, GroupRestriction::ExternalUpstream);
    assert_eq!(
        external.effective_mode,
        GroupMode::AllowSpecificRepositories
    );
    assert_eq!(
        external.inherited_from.as_ref().unwrap().pattern.as_str(),
        "/npm/a/*"
    );
    assert!(external.allowed.is_empty());
    assert!(external.allows(&"store".parse().unwrap()));
    assert!(!external.allows(&"other".parse().unwrap()));
    assert_eq!(
        rule(&groups, GroupRestriction::InternalUpstream).effective_mode,
        GroupMode::Block
    );
    let publish = rule(&groups, GroupRestriction::Publish);
    assert_eq!(
        (publish.mode, publish.effective_mode),
        (GroupMode::Allow, GroupMode::Allow)
    );
    assert_eq!(publish.inherited_from, None);
    let above = groups
        .find("/npm/a/b~")
        .unwrap()
        .rule(GroupRestriction::Publish);
    assert_eq!(
        above.inherited_from.as_ref().unwrap().pattern.as_str(),
        "/*"
    );
    assert_eq!(above.effective_mode, GroupMode::Block);

    // Without the one in the middle, values come from further up.
    let without = all
        .into_iter()
        .filter(|group| group.pattern.as_str() != "/npm/a/*");
    let groups = self::groups(without.collect());
    let external = rule(&groups, GroupRestriction::ExternalUpstream);
    assert_eq!(external.effective_mode, GroupMode::Allow);
    assert_eq!(
        external.inherited_from.as_ref().unwrap().pattern.as_str(),
        "/*"
    );
}

#[test]
fn a_group_has_the_one_above_it_that_encloses_it_most_closely() {
    let patterns = [
        "/npm/*",
        "/npm//*",
        "/npm/a~",
        "/npm/a/*",
        "/npm/a.b/*",
        "/npm/ab/*",
        "/npm/a/foo~",
        "/npm/a/foo$",
        "/npm/a/food$",
        "/npm/a/foo-*",
        "/npm/a/foo-bar$",
        "/npm/a/foo-bar~",
        "/npm/a/foo--*",
        "/npm/a/foo--x$",
    ];
    let groups = groups(patterns.iter().map(|text| group(text, "III")).collect());
    for (pattern, parent) in [
        ("/*", None),
        ("/npm/*", Some("/*")),
        ("/npm//*", Some("/npm/*")),
        ("/npm/a~", Some("/npm/*")),
        ("/npm/a/*", Some("/npm/a~")),
        ("/npm/a.b/*", Some("/npm/a~")),
        ("/npm/ab/*", Some("/npm/*")),
        ("/npm/a/foo~", Some("/npm/a/*")),
        ("/npm/a/foo$", Some("/npm/a/foo~")),
        ("/npm/a/food$", Some("/npm/a/*")),
        ("/npm/a/foo-*", Some("/npm/a/foo~")),
        ("/npm/a/foo-bar$", Some("/npm/a/foo-bar~")),
        ("/npm/a/foo-bar~", Some("/npm/a/foo-*")),
        ("/npm/a/foo--*", Some("/npm/a/foo-*")),
        ("/npm/a/foo--x$", Some("/npm/a/foo--*")),
    ] {
        assert_eq!(parent_of(&groups, pattern), parent, "{pattern}");
    }
    let arn = &groups.find("/npm/a/foo$").unwrap().arn;
    assert_eq!(
        arn,
        "arn:aws:codeartifact:eu-central-1:111122223333:package-group/d/npm/a/foo%24"
    );
    // What looks the same in canonical form is told apart by what it is.
    let found = groups.associate(&package("/npm/a/foo--z")).unwrap();
    assert_eq!(
        (found.0.pattern.as_str(), found.1),
        ("/npm/a/foo--*", Association::Strong)
    );
    let found = groups.associate(&package("/npm/a/foo-z")).unwrap();
    assert_eq!(
        (found.0.pattern.as_str(), found.1),
        ("/npm/a/foo-*", Association::Strong)
    );
}

/// Packages of a domain are read in the order in which they are listed, a page at a time, however many there are.
#[tokio::test]
async fn names_of_a_domain_are_read_from_their_index_in_order() {
    let database = store::Database::open(&"sqlite::memory:".parse().unwrap())
        .await
        .unwrap();
    database
        .migrate("catalog", crate::MIGRATIONS)
        .await
        .unwrap();
    database.migrate("names", crate::NAMES).await.unwrap();
    for (statement, values, tables) in [
        (names::AFTER, 5, &["package_names"][..]),
        (names::AFTER_BY_NAME, 4, &["packages", "repositories"]),
    ] {
        // A statement is a text of the program; this one lives as long as the test.
        let sql: &'static str = format!("EXPLAIN QUERY PLAN {statement}").leak();
        let texts = ["d", "npm", "", "", "a"].map(store::Value::from);
        let texts = texts.into_iter().take(values);
        let values = texts.chain([store::Value::from(10)]).collect();
        let rows = database.rows(sql, values).await.unwrap();
        let plan: Vec<_> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
        let searches = tables.iter().zip(&plan);
        let mut searches =
            searches.map(|(table, step)| step.starts_with(&format!("SEARCH {table} USING ")));
        assert!(
            searches.all(|is_so| is_so) && plan.len() == tables.len(),
            "{plan:#?}"
        );
    }
}

/// Names short and alike, so that patterns meet often.
fn name() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[aAlI1]([-._]?[aAlI1mo0]){0,2}").unwrap()
}

fn pattern() -> impl Strategy<Value = String> {
    let namespace = prop_oneof![Just(String::new()), name()];
    prop_oneof![
        Just("/npm/*".to_owned()),
        name().prop_map(|ns| format!("/npm/{ns}~")),
        name().prop_map(|ns| format!("/npm/{ns}-*")),
        namespace.clone().prop_map(|ns| format!("/npm/{ns}/*")),
        (namespace.clone(), name()).prop_map(|(ns, name)| format!("/npm/{ns}/{name}~")),
        (namespace.clone(), name()).prop_map(|(ns, name)| format!("/npm/{ns}/{name}_*")),
        (namespace, name()).prop_map(|(ns, name)| format!("/npm/{ns}/{name}$")),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let namespace = prop_oneof![Just(String::new()), name()];
    (namespace, name()).prop_map(|(ns, name)| format!("/npm/{ns}/{name}"))
}

proptest! {
    /// Whoever lists the packages of a pattern looks only where names begin like it: none of its packages is elsewhere.
    #[test]
    fn what_belongs_to_a_pattern_begins_to_look_like_it(text in pattern(), path in path()) {
        let pattern: GroupPattern = text.parse().unwrap();
        let (id, looks) = (package(&path), Looks::of_pattern(&pattern));
        if Looks::of_package(&id).association(&pattern, &looks).is_some() {
            let beginnings = names::beginnings(&pattern, &looks);
            let begins = |looks: &String| beginnings.iter().any(|b| looks.starts_with(b.as_str()));
            prop_assert!(names::looks_of(&id).iter().any(begins), "{text} {path}");
        }
    }

    /// The tree is that of asking each pattern about each other; and enclosing means what it says: whatever the inner
    /// one matches the outer one matches too.
    #[test]
    fn the_tree_is_what_asking_everybody_gives(
        patterns in proptest::collection::btree_set(pattern(), 0..16),
        paths in proptest::collection::vec(path(), 1..12),
    ) {
        let groups = groups(patterns.iter().map(|text| group(text, "III")).collect());
        let all: Vec<_> = groups.iter().map(|group| group.pattern.clone()).collect();
        prop_assert_eq!(all.len(), patterns.len() + 1);
        for inner in &all {
            let above = all.iter().filter(|outer| outer.encloses(inner));
            let closest = above.max_by_key(|outer| outer.literal().len());
            prop_assert_eq!(parent_of(&groups, inner.as_str()), closest.map(GroupPattern::as_str));
        }
        for path in &paths {
            let id = package(path);
            let looks = Looks::of_package(&id);
            let how = |of: &GroupPattern| looks.association(of, &Looks::of_pattern(of));
            let strong = |of: &GroupPattern| how(of) == Some(Association::Strong);
            for inner in all.iter().filter(|inner| strong(inner)) {
                for outer in all.iter().filter(|outer| *outer != inner) {
                    let is_around = outer.encloses(inner);
                    // All that match one path are in one line.
                    prop_assert!(!strong(outer) || is_around || inner.encloses(outer));
                    prop_assert!(!is_around || strong(outer));
                }
            }
            let (found, association) = groups.associate(&id).unwrap();
            prop_assert_eq!(Some(association), how(&found.pattern));
            // Nothing that it strongly is lies within what it was associated with.
            for other in all.iter().filter(|other| strong(other)) {
                prop_assert!(!found.pattern.encloses(other));
            }
            // The same is said of a group before it is made.
            for of in &all {
                let looks = Looks::of_pattern(of);
                let preview = groups.associate_with(of, &looks, &id);
                let expected = (*of == found.pattern).then_some(association);
                prop_assert_eq!(preview, expected);
            }
        }
    }

    /// What has the same canonical form as something that a group matches is not outside of it.
    #[test]
    fn disguises_are_seen_through(name in "[a-z]{2,8}(-[a-z]{2,8})?") {
        let exact = format!("/npm/scope/{name}$");
        let groups = groups(vec![group(&exact, "BBB")]);
        for disguise in [
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replace('-', ".-"),
            name.replace('o', "0"),
            name.replace('l', "1"),
            name.replace('l', "I"),
            name.replace('m', "rn"),
            name.replace('a', "\u{430}"),
        ] {
            let (group, how) = groups.associate(&package(&format!("/npm/scope/{disguise}"))).unwrap();
            let expected = if disguise == name { Association::Strong } else { Association::Weak };
            prop_assert_eq!((group.pattern.as_str(), how), (exact.as_str(), expected));
        }
    }
}
