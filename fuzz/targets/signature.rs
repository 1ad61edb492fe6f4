//! Signed requests: method, target and headers, a line each.
#![no_main]

use aws::Timestamp;
use aws::sigv4::{Claim, Rules};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let mut request = http::Request::builder()
        .method(lines.next().unwrap_or_default())
        .uri(lines.next().unwrap_or_default());
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name, value);
    }
    let Ok(request) = request.body(()) else {
        return;
    };
    let (parts, ()) = request.into_parts();
    let now = Timestamp::from_seconds(1_800_000_000);
    if let Ok(claim) = Claim::read(&parts, &Rules::new("codeartifact", None), now) {
        assert!(claim.canonical_requests("UNSIGNED-PAYLOAD").count() > 0);
    }
});
