//! Token buckets and pages.

use std::collections::HashMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use crate::error::ServiceError;
use crate::random::Random;
use crate::settings::{Rate, Settings};
use crate::wire::Service;

/// How many calls may still be made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    buckets: HashMap<(Service, String), Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    filled: Timestamp,
}

/// Whose budget a call is taken off: per account for IAM, per Region for the services of Identity Center, whose quotas hold for all
/// callers of an instance together.
pub(crate) fn quota<'a>(service: Service, account: &'a str, region: &'a str) -> (Service, &'a str) {
    let per_account = service == Service::Iam;
    (service, if per_account { account } else { region })
}

impl Limits {
    /// Takes one call off a budget.
    pub(crate) fn take(
        &mut self,
        (service, whose): (Service, &str),
        rate: Option<Rate>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let Some(rate) = rate else { return Ok(()) };
        let bucket = self
            .buckets
            .entry((service, whose.to_owned()))
            .or_insert(Bucket {
                tokens: rate.burst,
                filled: now,
            });
        let elapsed = now.duration_since(bucket.filled).as_secs_f64().max(0.0);
        bucket.tokens = elapsed
            .mul_add(rate.per_second, bucket.tokens)
            .min(rate.burst);
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return Err(ServiceError::throttled(service, "Rate exceeded"));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

/// What a caller asks of a listing.
pub(crate) struct PageRequest<'a> {
    /// What is listed, so that a token of one listing is not good for another.
    pub(crate) listing: String,
    pub(crate) token: Option<&'a str>,
    pub(crate) limit: Option<usize>,
    /// How often access has changed so far.
    pub(crate) revision: u64,
}

/// Some rows, and a token if there are more.
pub(crate) struct Page<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) next: Option<String>,
}

const NONE_YET: &str = "-";

/// One page of rows that come ordered by their key. A token names the last key seen, so rows that come or go move nothing else.
pub(crate) fn page<T>(
    rows: impl Iterator<Item = (String, T)>,
    request: &PageRequest<'_>,
    settings: &Settings,
    random: &mut Random,
) -> Result<Page<T>, InvalidToken> {
    let last = request
        .token
        .map(|token| decode(token, &request.listing))
        .transpose()?;
    let outdated = last
        .as_ref()
        .is_some_and(|last| last.revision != request.revision);
    if outdated && random.chance(settings.chances.token_refused) {
        return Err(InvalidToken);
    }
    let after_empty = last.as_ref().is_some_and(|last| last.empty);
    let most = request
        .limit
        .unwrap_or(settings.page_size)
        .min(settings.page_size)
        .max(1);
    let most = if settings.short_pages {
        random.up_to(most).max(usize::from(after_empty))
    } else {
        most
    };
    let mut rest = rows
        .skip_while(|(key, _)| {
            last.as_ref()
                .is_some_and(|last| last.key != NONE_YET && *key <= last.key)
        })
        .peekable();
    let mut page = Page {
        rows: Vec::new(),
        next: None,
    };
    let mut key = last
        .as_ref()
        .map_or_else(|| NONE_YET.to_owned(), |last| last.key.clone());
    while page.rows.len() < most
        && let Some((row_key, row)) = rest.next()
    {
        page.rows.push(row);
        key = row_key;
    }
    if rest.peek().is_some() {
        page.next = Some(encode(request, page.rows.is_empty(), &key));
    }
    Ok(page)
}

/// A token that this listing did not give, or does not take any more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InvalidToken;

struct Position {
    empty: bool,
    revision: u64,
    key: String,
}

fn encode(request: &PageRequest<'_>, empty: bool, key: &str) -> String {
    let position = format!(
        "{}
{empty}
{}
{key}",
        request.listing, request.revision
    );
    position.bytes().fold(String::new(), |mut token, byte| {
        let _ = write!(token, "{byte:02x}");
        token
    })
}

fn decode(token: &str, listing: &str) -> Result<Position, InvalidToken> {
    let bytes: Option<Vec<u8>> = (0..token.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok())
        .collect();
    let text = String::from_utf8(bytes.ok_or(InvalidToken)?).map_err(|_| InvalidToken)?;
    let mut parts = text.splitn(4, '\n');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(of), Some(empty), Some(revision), Some(key)) if of == listing => Ok(Position {
            empty: empty == "true",
            revision: revision.parse().map_err(|_| InvalidToken)?,
            key: key.to_owned(),
        }),
        _ => Err(InvalidToken),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(token: Option<&str>) -> PageRequest<'_> {
        PageRequest {
            listing: "things".to_owned(),
            token,
            limit: None,
            revision: 0,
        }
    }

    fn rows() -> impl Iterator<Item = (String, u32)> {
        (0..25).map(|number| (format!("{number:02}"), number))
    }

    #[test]
    fn short_pages_lose_and_repeat_nothing() {
        let settings = Settings {
            page_size: 4,
            short_pages: true,
            ..Settings::default()
        };
        let mut random = Random::new(3);
        let (mut seen, mut sizes, mut token) = (Vec::new(), Vec::new(), None);
        loop {
            let page = page(rows(), &request(token.as_deref()), &settings, &mut random).unwrap();
            sizes.push(page.rows.len());
            seen.extend(page.rows);
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, (0..25).collect::<Vec<_>>());
        assert!(sizes.contains(&0) && sizes.contains(&4), "{sizes:?}");
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        let settings = Settings {
            page_size: 4,
            ..Settings::default()
        };
        let first = page(rows(), &request(None), &settings, &mut Random::new(0)).unwrap();
        let other = PageRequest {
            listing: "other".to_owned(),
            token: first.next.as_deref(),
            limit: None,
            revision: 0,
        };
        assert!(page(rows(), &other, &settings, &mut Random::new(0)).is_err());
        assert!(page(rows(), &request(Some("zz")), &settings, &mut Random::new(0)).is_err());
    }
}
