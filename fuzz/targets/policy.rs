//! Policies: one that may be saved can be read again, and then says the same.
#![no_main]

use iam::policy::{InlineOwner, Policy, PolicyKind, PolicySource, principals_in, validate};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let source = || PolicySource::named("fuzz");
    drop(principals_in(text));
    let inline = PolicyKind::Inline {
        owner: InlineOwner::User,
        name: "fuzz",
        others: 0,
    };
    for kind in [PolicyKind::Managed, inline] {
        if let Ok(saved) = validate(kind, text, source()) {
            let read = Policy::parse(saved.text(), source()).expect("saved, and then unreadable");
            assert_eq!(read.context_keys(), saved.context_keys());
        }
    }
});
