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

    /// The same page of other things.
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(into).collect(),
            next: self.next,
        }
    }
}
