//! Page tokens.

use aws::page::{Filters, InvalidToken, MaxResults, PageToken, Sealer};
use aws::{Fault, Member, Secret, Violation};
use proptest::prelude::*;

fn sealer(byte: u8) -> Sealer {
    Sealer::new(&Secret::new([byte; 32]))
}

#[test]
fn a_token_opens_only_where_it_was_sealed() {
    let filters = Filters::of([Some("npm"), None]);
    let token = sealer(1).seal("ListPackages", &filters, "npm//left-pad");
    let open = |sealer: &Sealer, operation, filters| sealer.open(operation, &filters, &token);
    let found = open(&sealer(1), "ListPackages", filters);
    assert_eq!(found.as_deref(), Ok("npm//left-pad"));
    for (byte, operation, other) in [
        (2, "ListPackages", filters),
        (1, "ListDomains", filters),
        (1, "ListPackages", Filters::of([Some("npm"), Some("")])),
        (1, "ListPackages", Filters::of([Some("npm")])),
    ] {
        let found = open(&sealer(byte), operation, other);
        assert_eq!(found, Err(InvalidToken), "{byte} {operation} {other:?}");
    }
    assert_ne!(
        token,
        sealer(1).seal("ListPackages", &filters, "npm//left-pae")
    );
    assert!(!format!("{:?}", sealer(1)).contains('1'));
}

#[test]
fn what_was_not_sealed_here_does_not_open() {
    let filters = Filters::of([]);
    let good = sealer(1).seal("L", &filters, "c");
    for token in [
        "",
        "x",
        "AAAA",
        &format!("{good}="),
        &good[1..],
        &good[..good.len() - 1],
    ] {
        assert_eq!(
            sealer(1).open("L", &filters, token),
            Err(InvalidToken),
            "{token}"
        );
    }
    let fault = Fault::from(InvalidToken);
    assert_eq!(fault.code, "ValidationException");
}

#[test]
fn page_sizes_and_tokens_have_bounds() {
    for (text, expected) in [
        ("1", Ok(1)),
        ("1000", Ok(1000)),
        ("0", Err(Violation::AtLeast(1))),
        ("1001", Err(Violation::AtMost(1000))),
        ("-9", Err(Violation::AtLeast(1))),
    ] {
        assert_eq!(
            MaxResults::parse(text).map(MaxResults::get),
            expected,
            "{text}"
        );
    }
    assert!(MaxResults::parse("ten").is_err());
    assert_eq!(PageToken::parse("a b"), Err(Violation::Pattern("\\S+")));
    assert_eq!(PageToken::parse(""), Err(Violation::TooShort(1)));
}

proptest! {
    #[test]
    fn tokens_are_plain_and_short(cursor in "\\PC{0,360}", operation in "[A-Za-z]{1,20}") {
        let filters = Filters::of([Some(operation.as_str())]);
        let token = sealer(7).seal(&operation, &filters, &cursor);
        prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
        prop_assert!(token.len() <= 2000);
        prop_assert_eq!(sealer(7).open(&operation, &filters, &token), Ok(cursor));
    }

    #[test]
    fn a_changed_token_does_not_open(at in 0_usize..100, bit in 0_u8..6) {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let filters = Filters::of([]);
        let mut token = sealer(7).seal("L", &filters, "some cursor").into_bytes();
        let at = at % token.len();
        let value = ALPHABET.iter().position(|c| *c == token[at]).unwrap();
        token[at] = ALPHABET[value ^ (1 << bit)];
        let token = String::from_utf8(token).unwrap();
        prop_assert_eq!(sealer(7).open("L", &filters, &token), Err(InvalidToken));
    }
}
