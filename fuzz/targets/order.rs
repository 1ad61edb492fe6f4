//! The order of three versions, one a line: no format has them in a circle.
#![no_main]

use std::cmp::Ordering;
use std::sync::LazyLock;

use formats::{Protocols, Rules};

static PROTOCOLS: LazyLock<Protocols> = LazyLock::new(|| Protocols::new(Rules::default()));

libfuzzer_sys::fuzz_target!(|text: &str| {
    let lines: Vec<&str> = text.split('\n').collect();
    let [a, b, c] = lines[..] else {
        return;
    };
    for format in PROTOCOLS.iter() {
        let (Ok(a), Ok(b), Ok(c)) = (format.version(a), format.version(b), format.version(c))
        else {
            continue;
        };
        let name = format.name();
        assert_eq!(format.order(&a, &a), Ordering::Equal, "{name}");
        assert_eq!(
            format.order(&a, &b),
            format.order(&b, &a).reverse(),
            "{name}"
        );
        if format.order(&a, &b) != Ordering::Greater && format.order(&b, &c) != Ordering::Greater {
            assert_ne!(format.order(&a, &c), Ordering::Greater, "{name}");
        }
        // Two spellings of one version are neighbours: nothing stands between them that is another.
        if format.identity(&a) == format.identity(&b) {
            let (below, above) = (format.order(&c, &a), format.order(&c, &b));
            assert!(
                below == above || format.identity(&c) == format.identity(&a),
                "{name}"
            );
        }
    }
});
