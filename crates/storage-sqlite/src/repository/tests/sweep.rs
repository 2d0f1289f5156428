//! The sweep of expired secrets out of the counts.

use super::*;

/// Ten secrets, of which number 1 to 9 expire after as many seconds.
fn expiring() -> Fixture {
    let fixture = Fixture::new();
    fixture.write(|tx| {
        (0..10_i64).zip(0..).try_for_each(|(seconds, number)| {
            let secret = Secret {
                expiration: (seconds > 0).then(|| at(seconds)),
                ..sample::secret(number, "project")
            };
            tx.insert_secret(&secret, None)
        })
    });
    fixture
}

fn counted(fixture: &Fixture) -> i64 {
    fixture.column("SELECT live FROM projects WHERE name = 'project'")
}

fn total(fixture: &Fixture, seconds: i64) -> u64 {
    let query = page_of("project", Start::Offset(0), 100);
    let page = list(fixture.repository(), &query, at(seconds));
    assert_eq!(page.total, u64::try_from(page.items.len()).unwrap());
    assert_eq!(
        page.total,
        count(fixture.repository(), "project", at(seconds))
    );
    for number in 0..12 {
        let project = ProjectId::new("project");
        let reached = fixture.repository().read_with(Reading::Point, move |tx| {
            tx.has_at_least(&project, Counted::Secrets, number, at(seconds))
        });
        let reached = block_on(reached).map_err(|error: RepositoryError| error);
        assert_eq!(reached.unwrap(), page.total >= number, "{number}");
    }
    page.total
}

#[test]
fn expired_secrets_leave_the_counts_and_stay_in_the_table() {
    let fixture = expiring();
    assert_eq!(fixture.sweep(at(4), 256), 4);
    assert_eq!(counted(&fixture), 6);
    fixture.assert_sound();
    assert_eq!(total(&fixture, 4), 6);
    let there = block_on(
        fixture
            .repository()
            .read_with(Reading::Point, |tx| tx.secret(sample::secret_id(1))),
    );
    assert!(there.unwrap().is_some());
    // A swept secret leaves no count behind when it goes.
    fixture.write(|tx| tx.delete_secret(sample::secret_id(1)).map(|_| ()));
    assert_eq!(counted(&fixture), 6);
    fixture.assert_sound();
}

#[test]
fn a_sweep_takes_so_many_at_a_time() {
    let fixture = expiring();
    for expected in [4, 4, 1, 0] {
        assert_eq!(fixture.sweep(at(9), 4), expected);
    }
    assert_eq!(counted(&fixture), 1);
    fixture.assert_sound();
}

#[test]
fn lists_are_right_at_times_before_the_sweep() {
    let fixture = expiring();
    fixture.sweep(at(6), 256);
    for (seconds, gone) in (0..10).zip(0..) {
        assert_eq!(total(&fixture, seconds), 10 - gone, "{seconds}");
    }
}

#[test]
fn a_clock_that_goes_back_brings_secrets_back() {
    let fixture = expiring();
    // Somebody set the clock a year ahead, and then right again.
    assert_eq!(fixture.sweep(at(31_536_000), 256), 9);
    assert_eq!(counted(&fixture), 1);
    assert_eq!(fixture.sweep(at(3), 4), 4);
    fixture.assert_sound();
    assert_eq!(fixture.sweep(at(3), 4), 2);
    assert_eq!(counted(&fixture), 7);
    fixture.assert_sound();
    let until = fixture.column("SELECT swept_until FROM state");
    assert_eq!(until, at(3).as_micros());
    assert_eq!(fixture.sweep(at(3), 4), 0);
}

#[test]
fn a_sweep_of_nothing_commits_nothing() {
    let fixture = expiring();
    let before = fixture.column("SELECT commit_seq FROM state");
    assert_eq!(fixture.sweep(at(0), 256), 0);
    assert_eq!(fixture.column("SELECT commit_seq FROM state"), before);
}
