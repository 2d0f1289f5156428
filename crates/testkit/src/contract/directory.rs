//! What every `ProjectDirectory` has to do.

use donjon_domain::{
    ProjectId,
    ports::{Presence, ProjectDirectory},
};

use crate::block_on;

/// What the facts need: a directory with one project.
pub trait DirectoryCase {
    /// The directory.
    fn directory(&self) -> &dyn ProjectDirectory;

    /// The id of its project, with a letter in it.
    fn project(&self) -> &str;

    /// From now on the directory says nothing, or does again.
    fn set_out(&self, is_out: bool);
}

/// Makes a test of each fact. The expression makes a box (or another pointer)
/// of a [`DirectoryCase`].
#[macro_export]
macro_rules! directory_contract {
    ($make:expr) => {
        $crate::contract_tests! {
            $make;
            directory {
                a_project_is_present_or_absent,
                other_spellings_are_not_present,
                odd_ids_say_nothing,
                no_answer_is_no_absence,
            }
        }
    };
}

/// The project is there, again and again, and another one is not.
pub fn a_project_is_present_or_absent(case: &dyn DirectoryCase) {
    for _ in 0..2 {
        assert_eq!(look_up(case, case.project()), Some(Presence::Present));
        let other = "0123456789abcdef0123456789abcdef";
        assert_eq!(look_up(case, other), Some(Presence::Absent));
    }
}

/// A project has one spelling: what is stored under another is not its own.
pub fn other_spellings_are_not_present(case: &dyn DirectoryCase) {
    let id = case.project();
    let (first, rest) = id.split_at(id.len() / 2);
    for other in [
        id.to_uppercase(),
        format!("{first}-{rest}"),
        rest.to_owned(),
    ] {
        assert_ne!(look_up(case, &other), Some(Presence::Present), "{other}");
    }
}

/// What cannot be an id there is not asked for: an address with it in it may mean
/// something else.
pub fn odd_ids_say_nothing(case: &dyn DirectoryCase) {
    let id = case.project();
    let long = "a".repeat(300);
    for odd in [
        "",
        ".",
        "..",
        "../users",
        &format!(" {id}"),
        &format!("{id} "),
        &format!("{id}/"),
        &format!("{id}?"),
        &format!("{id}#"),
        &format!("{id}%20"),
        &format!("{id}\n"),
        &format!("{{{id}}}"),
        "pr\u{f6}jekt",
        &long,
    ] {
        assert_eq!(look_up(case, odd), Some(Presence::Unclear), "{odd:?}");
    }
}

/// While it says nothing nobody is absent, and afterwards all is as before.
pub fn no_answer_is_no_absence(case: &dyn DirectoryCase) {
    case.set_out(true);
    assert_eq!(look_up(case, case.project()), None);
    assert_eq!(look_up(case, "0123456789abcdef0123456789abcdef"), None);
    case.set_out(false);
    a_project_is_present_or_absent(case);
}

fn look_up(case: &dyn DirectoryCase, project: &str) -> Option<Presence> {
    block_on(case.directory().look_up(&ProjectId::new(project))).ok()
}
