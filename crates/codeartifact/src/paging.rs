//! Pages of lists: from `maxResults` and `nextToken` to a window of the catalog, and back.

use aws::Fault;
use aws::page::{Filters, MaxResults, PageToken};
use aws::reader::Field;

use crate::Request;

/// What a client asks of a list.
#[derive(Debug)]
pub(crate) struct Asked {
    max_results: Option<MaxResults>,
    next_token: Option<PageToken>,
}

impl Asked {
    /// `max-results` and `next-token` of the query.
    pub(crate) fn in_query(read: &mut aws::reader::Reader<'_>) -> Option<Self> {
        let max_results = read.query("max-results", "maxResults").optional();
        let next_token = Self::token(read.query("next-token", "nextToken"));
        Some(Self {
            max_results: max_results?,
            next_token: next_token?,
        })
    }

    /// `next-token` of the query, for the list whose pages have one size.
    pub(crate) fn token_in_query(read: &mut aws::reader::Reader<'_>) -> Option<Self> {
        let next_token = Self::token(read.query("next-token", "nextToken"));
        Some(Self {
            max_results: None,
            next_token: next_token?,
        })
    }

    /// `maxResults` and `nextToken` of the body, for the one list that has them there.
    pub(crate) fn in_body(read: &mut aws::reader::Reader<'_>) -> Option<Self> {
        let max_results = read.body("maxResults", "maxResults").optional();
        let next_token = Self::token(read.body("nextToken", "nextToken"));
        Some(Self {
            max_results: max_results?,
            next_token: next_token?,
        })
    }

    #[expect(
        clippy::option_option,
        reason = "outside: could it be read; inside: is it there"
    )]
    fn token(field: Field<'_, '_>) -> Option<Option<PageToken>> {
        field.optional()
    }

    /// The window of the list that this is, `default` entries wide unless it says otherwise.
    ///
    /// Errors: `ValidationException` when the token is of another list or other filters.
    pub(crate) fn window(
        self,
        request: &Request<'_>,
        default: MaxResults,
        filters: Filters,
    ) -> Result<Window, Fault> {
        let sealer = &request.cx.sealer;
        let open = |token: PageToken| sealer.open(request.operation.name, &filters, token.as_str());
        let after = self.next_token.map(open).transpose()?;
        let limit = self.max_results.unwrap_or(default).get();
        Ok(Window {
            after,
            limit,
            filters,
        })
    }
}

/// Where a page begins and how long it is.
#[derive(Debug)]
pub(crate) struct Window {
    after: Option<String>,
    /// How many entries.
    pub(crate) limit: u32,
    filters: Filters,
}

impl Window {
    /// The catalog's place after which the page begins.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// `nextToken` for the catalog's next place.
    pub(crate) fn next_token(&self, request: &Request<'_>, next: Option<&str>) -> Option<String> {
        let next = next?;
        Some(
            request
                .cx
                .sealer
                .seal(request.operation.name, &self.filters, next),
        )
    }
}
