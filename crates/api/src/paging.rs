//! Parts of lists: how they are asked for, and the envelope they come in.

use donjon_domain::{InvalidId, Page, PageRequest, SecretId, Start};
use serde::{Serialize, ser::SerializeMap};

use crate::{
    problem::Problem,
    query::{Query, parse_int},
};

/// How many items a part has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageLimits {
    /// If the request does not say.
    pub(crate) default: u32,
    /// At the most.
    pub(crate) max: u32,
}

impl PageLimits {
    /// Reads `limit`, `offset` and `marker`. Bad numbers are replaced, never
    /// refused. A marker is an id or a reference that ends in one; the part
    /// starts behind it.
    pub(crate) fn read(self, query: &Query) -> Result<PageRequest, Problem> {
        self.read_with(query, SecretId::parse)
    }

    /// The same for a list of what has other ids.
    pub(crate) fn read_with<I>(
        self,
        query: &Query,
        parse: impl Fn(&str) -> Result<I, InvalidId>,
    ) -> Result<PageRequest<I>, Problem> {
        let limit = match query.get("limit")?.and_then(parse_int) {
            None => self.default,
            Some(limit) => u32::try_from(limit.clamp(1, i64::from(self.max))).unwrap_or(self.max),
        };
        let offset = query
            .get("offset")?
            .and_then(parse_int)
            .filter(|offset| *offset < i64::MAX);
        let start = Start::Offset(
            offset
                .and_then(|offset| u64::try_from(offset).ok())
                .unwrap_or(0),
        );
        let marker = query
            .get("marker")?
            .and_then(|marker| marker.trim_end_matches('/').rsplit('/').next());
        let start = marker
            .and_then(|id| parse(id).ok())
            .map_or(start, Start::After);
        Ok(PageRequest { start, limit })
    }
}

/// A part of a list as it is shown.
#[derive(Debug)]
pub(crate) struct Listed<'a, T> {
    /// The key of the items.
    pub(crate) plural: &'a str,
    /// The address of the list.
    pub(crate) url: &'a str,
    /// What links repeat besides limit and offset.
    pub(crate) link_tail: &'a str,
    pub(crate) limit: u32,
    pub(crate) page: Page<T>,
}

impl<T> Listed<'_, T> {
    fn link(&self, offset: u64) -> String {
        format!(
            "{}?limit={}&offset={offset}{}",
            self.url, self.limit, self.link_tail
        )
    }
}

impl<T: Serialize> Serialize for Listed<'_, T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Page {
            items,
            offset,
            total,
        } = &self.page;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.plural, items)?;
        let limit = u64::from(self.limit);
        if !items.is_empty() && *offset > 0 {
            map.serialize_entry("previous", &self.link(offset.saturating_sub(limit)))?;
        }
        if !items.is_empty() && *total > offset.saturating_add(limit) {
            map.serialize_entry("next", &self.link(offset + limit))?;
        }
        map.serialize_entry("total", total)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: PageLimits = PageLimits {
        default: 10,
        max: 100,
    };

    fn check(query: &str, limit: u32, offset: u64) {
        let expected = PageRequest {
            start: Start::Offset(offset),
            limit,
        };
        assert_eq!(
            LIMITS.read(&Query::parse(query)).unwrap(),
            expected,
            "{query}"
        );
    }

    #[test]
    fn odd_values_are_replaced() {
        check("", 10, 0);
        check("limit=0", 1, 0);
        check("limit=-100", 1, 0);
        check("limit=abc&offset=abc", 10, 0);
        check("limit=%201&offset=%201", 1, 1);
        check("limit=100000", 100, 0);
        check(
            "limit=99999999999999999999999&offset=99999999999999999999999",
            100,
            0,
        );
        check("offset=-1", 10, 0);
    }

    #[test]
    fn markers_are_ids_or_references() {
        let id = "7f3c1f6e-0b1d-4c59-9d0a-3a5f6e2b7c11";
        let expected = Start::After(SecretId::parse(id).unwrap());
        for marker in [
            id.to_owned(),
            format!("http://h/v1/secrets/{id}"),
            format!("http://h/v1/secrets/{id}/"),
        ] {
            let query = Query::parse(&format!("marker={marker}"));
            assert_eq!(LIMITS.read(&query).unwrap().start, expected);
        }
        assert_eq!(
            LIMITS
                .read(&Query::parse("marker=x&offset=3"))
                .unwrap()
                .start,
            Start::Offset(3)
        );
    }

    #[test]
    fn links_are_left_out_where_there_is_nothing() {
        let listed = |items: Vec<u8>, offset, total| {
            let page = Page {
                items,
                offset,
                total,
            };
            let listed = Listed {
                plural: "n",
                url: "u",
                link_tail: "&a=b",
                limit: 2,
                page,
            };
            serde_json::to_string(&listed).unwrap()
        };
        assert_eq!(listed(vec![], 5, 5), r#"{"n":[],"total":5}"#);
        assert_eq!(listed(vec![1, 2], 0, 2), r#"{"n":[1,2],"total":2}"#);
        assert_eq!(
            listed(vec![1, 2], 0, 3),
            r#"{"n":[1,2],"next":"u?limit=2&offset=2&a=b","total":3}"#
        );
        assert_eq!(
            listed(vec![3], 1, 2),
            r#"{"n":[3],"previous":"u?limit=2&offset=0&a=b","total":2}"#
        );
    }
}
