//! Nothing is left of what was deleted, wherever SQLite moved it before.

#[path = "support/fixture.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod fixture;

use std::{collections::HashSet, fs, ops::Range};

use donjon_domain::{
    ContentType, MetadataKey, OrderState, Sealed, Secret,
    ports::{Entropy as _, RepositoryError, WriteTx},
};
use donjon_storage_sqlite::SqliteRepository;
use donjon_testkit::{SeededEntropy, block_on, sample};

use fixture::{Fixture, assert_sound, eventually, queue};

const PROJECTS: u64 = 8;
const SECRETS: u64 = 2_500;

/// A sealed payload of 16 to 1,500 bytes or, once in a while, of up to 12,000,
/// of which no two runs are the same.
fn envelope(seed: u64) -> Vec<u8> {
    let sizes = if seed % 40 == 7 {
        4_000..12_000
    } else {
        16..1_500
    };
    random(seed, sizes)
}

fn random(seed: u64, sizes: Range<u64>) -> Vec<u8> {
    let entropy = SeededEntropy::new(seed);
    let mut drawn = [0; 8];
    entropy.fill(&mut drawn);
    let size = sizes.start + u64::from_le_bytes(drawn) % (sizes.end - sizes.start);
    let mut bytes = vec![0; usize::try_from(size).expect("a size")];
    entropy.fill(&mut bytes);
    bytes
}

/// A text of its own for each secret, as a user's metadata.
fn text(number: u64) -> String {
    random(1_000_000 + number, 24..200)
        .iter()
        .map(|byte| char::from(b'0' + byte % 75))
        .collect()
}

fn sealed(number: u64) -> Sealed {
    Sealed {
        envelope: envelope(number),
        ..sample::sealed(1 + number % PROJECTS, 0)
    }
}

fn project(number: u64) -> String {
    format!("project-{}", number % PROJECTS)
}

/// Every third secret gets its payload later.
fn comes_later(number: u64) -> bool {
    number % 3 == 1
}

fn is_deleted(number: u64) -> bool {
    number.wrapping_mul(0x9e37_79b9) >> 4 & 3 != 0
}

fn insert(tx: &mut dyn WriteTx, number: u64) -> Result<(), RepositoryError> {
    let later = comes_later(number);
    let secret = Secret {
        name: Some(sample::label(&format!("name {number} {}", text(number)))),
        content_type: (!later).then_some(ContentType::OctetStream),
        ..sample::secret(number, &project(number))
    };
    tx.insert_secret(&secret, (!later).then(|| sealed(number).into()).as_ref())?;
    let key = MetadataKey::for_lookup("k");
    tx.put_user_metadatum(secret.id, &key, &text(number))?;
    let mut order = sample::order(number, &project(number));
    order.passphrase = Some(Sealed {
        envelope: envelope(500_000 + number),
        ..sealed(number)
    });
    tx.insert_order(&order)
}

fn complete(tx: &mut dyn WriteTx, number: u64) -> Result<(), RepositoryError> {
    if comes_later(number) {
        let id = sample::secret_id(number);
        tx.set_payload(id, ContentType::Text, &sealed(number).into(), sample::NOW)?;
    }
    let failed = OrderState::Error(donjon_domain::OrderFailure {
        status_code: "500".to_owned(),
        reason: "none".to_owned(),
    });
    tx.end_order(sample::order_id(number), &failed, sample::NOW)
}

/// Does something to many secrets, a few per transaction.
fn each(
    repository: &SqliteRepository,
    mut numbers: impl Iterator<Item = u64>,
    what: fn(&mut dyn WriteTx, u64) -> Result<(), RepositoryError>,
) {
    loop {
        let some: Vec<_> = numbers.by_ref().take(20).collect();
        if some.is_empty() {
            return;
        }
        let done = queue(repository, move |tx| {
            some.iter().try_for_each(|number| what(tx, *number))
        });
        block_on(done).expect("the job ends");
    }
}

/// Fills a database so that its pages are divided and filled again.
fn fill(repository: &SqliteRepository) {
    for number in 0..PROJECTS {
        let kek = sample::kek(1 + number, &project(number));
        block_on(queue(repository, move |tx| tx.insert_kek(&kek))).expect("the KEK is new");
    }
    let half = SECRETS / 2;
    each(repository, 0..half, insert);
    each(repository, 0..half, complete);
    each(repository, half..SECRETS, insert);
    each(repository, half..SECRETS, complete);
}

fn delete_some(repository: &SqliteRepository) {
    let gone = (0..SECRETS).filter(|number| is_deleted(*number));
    each(repository, gone, |tx, number| {
        assert!(tx.delete_secret(sample::secret_id(number))?);
        Ok(())
    });
}

/// How many pieces of these are in a file of the database, if only 16 bytes of
/// them: of any 16 bytes of one, 8 begin at a multiple of 8.
fn found(fixture: &Fixture, wanted: impl Iterator<Item = Vec<u8>>) -> usize {
    // Most windows are told by their first three bytes not to be among them.
    let start = |piece: &[u8]| match piece {
        [a, b, c, ..] => usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c),
        _ => 0,
    };
    let mut starts = vec![false; 1 << 24];
    let mut pieces = HashSet::new();
    for bytes in wanted {
        for piece in bytes.chunks_exact(8) {
            if let Some(known) = starts.get_mut(start(piece)) {
                *known = true;
            }
            pieces.insert(piece.to_vec());
        }
    }
    let is_wanted =
        |window: &&[u8]| starts.get(start(window)) == Some(&true) && pieces.contains(*window);
    let mut found = HashSet::new();
    for file in ["", "-wal", "-shm"].map(|suffix| fixture.beside(suffix)) {
        let contents = fs::read(file).expect("the file is read");
        let seen = contents.windows(8).filter(is_wanted);
        found.extend(seen.map(<[u8]>::to_vec));
    }
    found.len()
}

fn deleted(fixture: &Fixture) -> usize {
    let gone = (0..SECRETS).filter(|number| is_deleted(*number));
    found(
        fixture,
        gone.flat_map(|number| [envelope(number), text(number).into_bytes()]),
    )
}

/// Which goes when an order ends.
fn passphrases(fixture: &Fixture) -> usize {
    found(
        fixture,
        (0..SECRETS).map(|number| envelope(500_000 + number)),
    )
}

fn kept(fixture: &Fixture) -> usize {
    let kept = (0..SECRETS).filter(|number| !is_deleted(*number));
    found(fixture, kept.map(envelope))
}

#[test]
fn nothing_is_left_of_what_was_deleted() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    fill(&repository);
    assert!(deleted(&fixture) > 100_000, "they were there");
    delete_some(&repository);
    eventually("the log is empty", || fixture.log_bytes() == 0);
    assert_eq!(deleted(&fixture), 0);
    assert_eq!(passphrases(&fixture), 0);
    assert!(kept(&fixture) > 50_000, "the rest is there");
    assert_sound(&repository);

    // What comes after finds the room that was made.
    each(&repository, SECRETS..SECRETS + 500, insert);
    assert_sound(&repository);
}

/// What was moved before the log was emptied is wiped as well.
#[test]
fn nothing_is_left_where_rows_were_moved_long_before() {
    let fixture = Fixture::new();
    let repository = fixture.create();
    fill(&repository);
    block_on(repository.close()).unwrap();
    drop(repository);
    let (repository, opened) = fixture.open().unwrap();
    assert!(opened.was_clean);
    delete_some(&repository);
    eventually("the log is empty", || fixture.log_bytes() == 0);
    assert_eq!(deleted(&fixture), 0);
    assert_sound(&repository);
}

/// A process that was killed left moved rows in the log.
#[test]
fn nothing_is_left_after_an_end_that_was_not_in_order() {
    let fixture = Fixture::new();
    let killed = Fixture::new();
    let repository = fixture.create();
    fill(&repository);
    for suffix in ["", "-wal"] {
        fs::copy(fixture.beside(suffix), killed.beside(suffix)).unwrap();
    }
    drop(repository);
    let (repository, opened) = killed.open().unwrap();
    assert!(!opened.was_clean);
    delete_some(&repository);
    eventually("the log is empty", || killed.log_bytes() == 0);
    assert_eq!(deleted(&killed), 0);
    assert_sound(&repository);
}
