//! Filters of EC2's lists: a name, and texts of which one must fit, with `*` and `?`.

/// One filter of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

impl Filter {
    /// Whether one of the values fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        self.values.iter().any(|pattern| matches(pattern, text))
    }
}

/// `*` is any text, `?` any character; in time proportional to the product of the lengths.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read) = (0, 0);
    // The last star, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((place, taken)) = star else {
                    return false;
                };
                star = Some((place, taken + 1));
                at = place + 1;
                read = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_text() {
        for (pattern, text, expected) in [
            ("build-01", "build-01", true),
            ("build-01", "build-02", false),
            ("build-*", "build-", true),
            ("*-01", "build-01", true),
            ("b*d-?1", "build-01", true),
            ("b*d-?1", "build-1", false),
            ("*a*b", "xaxbxb", true),
            ("*", "", true),
            ("?", "", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
