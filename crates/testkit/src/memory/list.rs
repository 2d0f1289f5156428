//! Lists: filter, sort, cut.

use std::cmp::Ordering;

use donjon_domain::{
    Container, ContainerQuery, Direction, Label, ListScope, Order, OrderQuery, Page, PageRequest,
    Secret, SecretFilter, SecretQuery, SecretSortKey, Start, TimeBound, Timestamp,
};

use super::state::{SecretRow, State};

/// The part of the list that the query asks for.
pub(super) fn secrets(state: &State, query: &SecretQuery, now: Timestamp) -> Page<Secret> {
    let mut found: Vec<&Secret> = state
        .secrets
        .rows()
        .filter(|row| in_scope(row, &query.scope))
        .map(|row| &row.secret)
        .filter(|secret| !secret.is_expired(now) && holds(&query.filter, secret))
        .collect();
    // The sort is stable, so ties stay in the order of creation.
    found.sort_by(|left, right| compare(&query.sort, left, right));
    cut(&found, query.page, |secret, id| secret.id == id)
}

/// The part of the list that the query asks for.
pub(super) fn containers(state: &State, query: &ContainerQuery) -> Page<Container> {
    let found: Vec<&Container> = state
        .containers
        .rows()
        .map(|row| &row.container)
        .filter(|container| {
            container.project == query.project
                && pattern_holds(query.name.as_deref(), container.name.as_ref())
                && query
                    .container_type
                    .is_none_or(|wanted| container.container_type == wanted)
        })
        .collect();
    cut(&found, query.page, |container, id| container.id == id)
}

/// The part of the list that the query asks for.
pub(super) fn orders(state: &State, query: &OrderQuery) -> Page<Order> {
    let wanted = query.meta.as_ref().map(|part| part.to_ascii_lowercase());
    let found: Vec<&Order> = state
        .orders
        .rows()
        .filter(|order| {
            order.project == query.project
                && wanted
                    .as_ref()
                    .is_none_or(|part| order.meta.to_ascii_lowercase().contains(part))
        })
        .collect();
    cut(&found, query.page, |order, id| order.id == id)
}

/// Cuts a page out of a whole list.
pub(super) fn cut<T: Clone, I: Copy>(
    whole: &[&T],
    page: PageRequest<I>,
    is: impl Fn(&T, I) -> bool,
) -> Page<T> {
    let offset = match page.start {
        Start::Offset(offset) => offset,
        Start::After(id) => whole
            .iter()
            .position(|item| is(item, id))
            .map_or(0, |at| to_u64(at) + 1),
    };
    let skipped = usize::try_from(offset).unwrap_or(usize::MAX);
    let limit = usize::try_from(page.limit.max(1)).unwrap_or(usize::MAX);
    Page {
        items: whole
            .iter()
            .skip(skipped)
            .take(limit)
            .map(|item| (*item).clone())
            .collect(),
        offset,
        total: to_u64(whole.len()),
    }
}

pub(super) fn to_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn in_scope(row: &SecretRow, scope: &ListScope) -> bool {
    match scope {
        ListScope::Project(project) => row.secret.project == *project,
        ListScope::SharedWith(user) => row.acl.as_ref().is_some_and(|acl| acl.users.contains(user)),
    }
}

fn holds(filter: &SecretFilter, secret: &Secret) -> bool {
    let bits = secret.bit_length.map(|bits| i64::from(bits.get()));
    pattern_holds(filter.name.as_deref(), secret.name.as_ref())
        && pattern_holds(filter.algorithm.as_deref(), secret.algorithm.as_ref())
        && pattern_holds(filter.mode.as_deref(), secret.mode.as_ref())
        && filter.bit_length.is_none_or(|wanted| bits == Some(wanted))
        && filter
            .secret_type
            .is_none_or(|wanted| secret.secret_type == wanted)
        && bounds_hold(&filter.created, Some(secret.created))
        && bounds_hold(&filter.updated, Some(secret.updated))
        && bounds_hold(&filter.expiration, secret.expiration)
}

fn pattern_holds(pattern: Option<&str>, text: Option<&Label>) -> bool {
    pattern.is_none_or(|pattern| text.is_some_and(|text| like(pattern, text.as_str())))
}

fn bounds_hold(bounds: &[TimeBound], time: Option<Timestamp>) -> bool {
    bounds
        .iter()
        .all(|bound| time.is_some_and(|time| bound.comparison.holds(time, bound.at)))
}

/// SQL `LIKE` without an escape character: `%` is any text, `_` one character,
/// ASCII letters are equal in both cases.
fn like(pattern: &str, text: &str) -> bool {
    let mut rest = text.chars();
    let mut signs = pattern.chars();
    // Where to go on when a character does not fit: behind the last `%`, one
    // character further in the text.
    let mut retry = None;
    loop {
        let here = rest.clone();
        match (signs.next(), rest.next()) {
            (None, None) => return true,
            (Some('%'), _) => {
                retry = Some((signs.clone(), here.clone()));
                rest = here;
                continue;
            }
            (Some('_'), Some(_)) => continue,
            (Some(sign), Some(found)) if sign.eq_ignore_ascii_case(&found) => continue,
            _ => {}
        }
        let Some((after, from)) = retry.as_mut() else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        signs = after.clone();
        rest = from.clone();
    }
}

fn compare(sort: &[(SecretSortKey, Direction)], left: &Secret, right: &Secret) -> Ordering {
    sort.iter()
        .map(|(key, direction)| {
            let order = compare_by(*key, left, right);
            match direction {
                Direction::Ascending => order,
                Direction::Descending => order.reverse(),
            }
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn compare_by(key: SecretSortKey, left: &Secret, right: &Secret) -> Ordering {
    match key {
        SecretSortKey::Algorithm => left.algorithm.cmp(&right.algorithm),
        SecretSortKey::BitLength => left.bit_length.cmp(&right.bit_length),
        SecretSortKey::Created => left.created.cmp(&right.created),
        SecretSortKey::Expiration => left.expiration.cmp(&right.expiration),
        SecretSortKey::Mode => left.mode.cmp(&right.mode),
        SecretSortKey::Name => left.name.cmp(&right.name),
        SecretSortKey::SecretType => left.secret_type.as_str().cmp(right.secret_type.as_str()),
        SecretSortKey::Status => Ordering::Equal,
        SecretSortKey::Updated => left.updated.cmp(&right.updated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("%", "", true),
            ("%", "abc", true),
            ("_", "", false),
            ("_", "ü", true),
            ("a%c", "abbc", true),
            ("a%c", "abcd", false),
            ("%b%", "abc", true),
            ("%ab", "aab", true),
            ("%a_b%", "aaab", true),
            ("A", "a", true),
            ("Ü", "ü", false),
            ("a\\%", "a\\b", true),
            ("%%", "x", true),
            ("a%b%c", "a1b2b3c", true),
            ("a%b%c", "a1b2b3", false),
        ] {
            assert_eq!(like(pattern, text), expected, "{pattern} {text}");
        }
    }
}
