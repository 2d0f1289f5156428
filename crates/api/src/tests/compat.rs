//! The table of routes in `docs/compat.md` against the routes: none is missing
//! there, and what it says of the oldest form is so.

use std::mem::discriminant;

use super::route_table::{methods, resources};
use crate::route::{Resource, Route};

const DOCUMENT: &str = include_str!("../../../../docs/compat.md");

/// A row: the method, a path, and the states in both forms.
struct Row {
    method: &'static str,
    path: String,
    today: &'static str,
    oldest: &'static str,
}

fn rows() -> Vec<Row> {
    let (_, table) = DOCUMENT.split_once("## Routes").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter(|line| line.contains("| `/"));
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [method, path, today, oldest] = cells[..] else {
            panic!("not a row of four: {line}");
        };
        Row {
            method,
            path: path.trim_matches('`').replace(['{', '}'], ""),
            today,
            oldest,
        }
    })
    .collect()
}

fn resource(path: &str) -> Option<Resource<'_>> {
    match Route::of(path) {
        Route::V1(_, resource) => Some(resource),
        _ => None,
    }
}

#[test]
fn every_route_has_a_row() {
    let rows = rows();
    for expected in resources() {
        let nothing = matches!(
            expected,
            Resource::BelowSecret(_)
                | Resource::BelowSecretStore(_)
                | Resource::BelowOrder(_)
                | Resource::BelowContainer(_)
                | Resource::Nothing { .. }
        );
        if nothing {
            continue;
        }
        for method in methods(&expected) {
            let same = |row: &&Row| {
                let found = resource(&row.path).map(|found| discriminant(&found));
                row.method == *method && found == Some(discriminant(&expected))
            };
            assert_eq!(
                rows.iter().filter(same).count(),
                1,
                "{method} {expected:?} in docs/compat.md"
            );
        }
    }
}

#[test]
fn what_is_said_of_the_forms_is_so() {
    let nothing = Resource::Nothing { reserved: false };
    for row in rows() {
        let Row { method, path, .. } = &row;
        if row.today.starts_with("yes") {
            assert_ne!(resource(path), Some(nothing.clone()), "{method} {path}");
        }
        if row.today.starts_with("404") {
            assert_eq!(resource(path), Some(nothing.clone()), "{method} {path}");
        }
        let oldest = path.replacen("/v1/", "/v1/12345/", 1);
        let found = resource(&oldest).unwrap_or(nothing.clone());
        if row.oldest.starts_with("yes") || row.oldest.starts_with("405") {
            assert_ne!(found, nothing, "{method} {oldest}");
        }
        if row.oldest.starts_with("404") {
            assert_eq!(found, nothing, "{method} {oldest}");
        }
    }
}
