//! What the wire is made of: forms, escapes, ARNs, dates, patterns of package groups. What is printed is read again.
#![no_main]

use std::hint::black_box;

use aws::query::Form;
use aws::{Arn, Timestamp, percent};
use catalog::GroupPattern;

libfuzzer_sys::fuzz_target!(|text: &str| {
    drop(Form::parse(text.as_bytes()));
    assert_eq!(
        percent::decode(&percent::encode(text), true).as_deref(),
        Some(text)
    );
    drop(percent::decode_pairs(text, true));
    if let Ok(arn) = text.parse::<Arn>() {
        assert_eq!(arn.to_string(), text);
    }
    black_box(Timestamp::parse_iso8601(text));
    black_box(Timestamp::parse_http_date(text));
    black_box(Timestamp::parse_amz_date(text));
    if let Ok(pattern) = text.parse::<GroupPattern>() {
        assert_eq!(pattern.as_str(), text);
        black_box((pattern.format(), pattern.namespace(), pattern.name()));
    }
});
