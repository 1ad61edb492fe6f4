//! A page of a list.

/// Some entries, and where to go on.
#[derive(Debug, Clone)]
pub struct Page<T> {
    /// The entries, in the list's order.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; `None` at the end. Opaque: a face seals it.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts `items`, of which one more than `limit` were read, to a page; `cursor` says where one stands.
    pub(crate) fn cut(mut items: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Self {
        let limit = limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }

    /// The same page without what turns out not to be there any more. It still goes on where it would have.
    pub(crate) fn filter_map<U>(self, into: impl FnMut(T) -> Option<U>) -> Page<U> {
        Page {
            items: self.items.into_iter().filter_map(into).collect(),
            next: self.next,
        }
    }

    /// The same page of other things.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(into).collect(),
            next: self.next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_from_which_something_is_gone_says_where_to_go_on_all_the_same() {
        for (count, gone, items, next) in [
            (3, 2, vec![1], Some("2")),
            (3, 1, vec![2], Some("2")),
            (2, 2, vec![1], None),
            (3, 3, vec![1, 2], Some("2")),
        ] {
            let page = Page::cut((1..=count).collect(), 2, i32::to_string);
            let page = page.filter_map(|item| (item != gone).then_some(item));
            assert_eq!((page.items, page.next.as_deref()), (items, next));
        }
    }
}
