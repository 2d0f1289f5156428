//! Microversions of the API: 1.0 to 1.2.

use http::{HeaderMap, StatusCode};

/// A microversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Microversion {
    V1_0,
    V1_1,
    V1_2,
}

/// The header asks for something that is no microversion of this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadMicroversion {
    pub(crate) status: StatusCode,
    pub(crate) detail: String,
}

pub(crate) const HEADER: &str = "openstack-api-version";

impl Microversion {
    pub(crate) const LATEST: Self = Self::V1_2;

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
        }
    }

    /// The value of the header in answers.
    pub(crate) const fn header_value(self) -> &'static str {
        match self {
            Self::V1_0 => "key-manager 1.0",
            Self::V1_1 => "key-manager 1.1",
            Self::V1_2 => "key-manager 1.2",
        }
    }

    /// Whether secrets show their consumers.
    pub(crate) fn shows_consumers(self) -> bool {
        self >= Self::V1_1
    }

    /// Whether consumers keep a secret from being deleted.
    pub(crate) fn guards_consumed(self) -> bool {
        self >= Self::V1_2
    }

    /// Reads the header: the last entry for this service counts, and without
    /// one it is 1.0.
    pub(crate) fn negotiate(headers: &HeaderMap) -> Result<Self, BadMicroversion> {
        let mut asked = None;
        for value in headers
            .get_all(HEADER)
            .iter()
            .filter_map(|value| value.to_str().ok())
        {
            for entry in value.split(',') {
                let mut words = entry.split_ascii_whitespace();
                if words
                    .next()
                    .is_some_and(|service| service.eq_ignore_ascii_case("key-manager"))
                {
                    asked = words.next().or(asked);
                }
            }
        }
        asked.map_or(Ok(Self::V1_0), Self::parse)
    }

    fn parse(text: &str) -> Result<Self, BadMicroversion> {
        if text.eq_ignore_ascii_case("latest") {
            return Ok(Self::LATEST);
        }
        let number = |part: &str| -> Option<u32> {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse().unwrap_or(u32::MAX))
        };
        let parts = text
            .split_once('.')
            .and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
        match parts {
            Some((1, 0)) => Ok(Self::V1_0),
            Some((1, 1)) => Ok(Self::V1_1),
            Some((1, 2)) => Ok(Self::V1_2),
            Some(_) => Err(BadMicroversion {
                status: StatusCode::NOT_ACCEPTABLE,
                detail: format!("Invalid microversion: Unacceptable version header: {text}"),
            }),
            None => Err(BadMicroversion {
                status: StatusCode::BAD_REQUEST,
                detail: format!(
                    "Invalid microversion: invalid version string: {text}; two numbers and a point are expected"
                ),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn negotiate(value: &str) -> Result<Microversion, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, value.parse().unwrap());
        Microversion::negotiate(&headers).map_err(|bad| bad.status.as_u16())
    }

    #[test]
    fn what_the_header_may_say() {
        for (value, expected) in [
            ("", Ok(Microversion::V1_0)),
            ("key-manager 1.1", Ok(Microversion::V1_1)),
            ("Key-Manager LATEST", Ok(Microversion::V1_2)),
            (
                "key-manager 1.1, compute 2.1, key-manager 1.2",
                Ok(Microversion::V1_2),
            ),
            ("compute 2.1", Ok(Microversion::V1_0)),
            ("1.1", Ok(Microversion::V1_0)),
            ("key-manager", Ok(Microversion::V1_0)),
            ("key-manager 1.9", Err(406)),
            ("key-manager 1.10", Err(406)),
            ("key-manager 0.0", Err(406)),
            ("key-manager 99999999999.1", Err(406)),
            ("key-manager foo", Err(400)),
            ("key-manager 1", Err(400)),
            ("key-manager 1.1.1", Err(400)),
            ("key-manager v1.1", Err(400)),
            ("key-manager 1,1", Err(400)),
        ] {
            assert_eq!(negotiate(value), expected, "{value}");
        }
    }
}
