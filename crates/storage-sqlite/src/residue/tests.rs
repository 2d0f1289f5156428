use super::*;

/// A page of a table with these rows, of which those in `gone` were deleted,
/// and rubbish in what it does not use.
fn page(header: usize) -> Vec<u8> {
    let mut page = vec![0xee; 4_096];
    page[header] = 13;
    // The first hole, one row, the first row.
    page[header + 1..header + 8].copy_from_slice(&[0x0f, 0xa0, 0, 1, 0x0f, 0x80, 0]);
    page[header + 8..header + 10].copy_from_slice(&[0x0f, 0x80]);
    // A hole of 20 bytes at 4,000, and one of 4 at 4,092.
    page[4_000..4_004].copy_from_slice(&[0x0f, 0xfc, 0, 20]);
    page[4_092..].copy_from_slice(&[0, 0, 0, 4]);
    page
}

#[test]
fn what_is_unused_becomes_zeros_and_nothing_else() {
    for (number, header) in [(1, 100), (3, 0)] {
        let before = page(header);
        let mut after = before.clone();
        assert!(wipe(&mut after, number, 4_096));
        for at in 0..4_096 {
            let unused = (header + 10..0x0f80).contains(&at) || (4_004..4_020).contains(&at);
            let expected = if unused { 0 } else { before[at] };
            assert_eq!(after[at], expected, "{at}");
        }
        assert!(!wipe(&mut after, number, 4_096), "twice");
    }
}

#[test]
fn a_page_that_makes_no_sense_stays_as_it_is() {
    let spoil: [(usize, [u8; 2]); 6] = [
        // No page of rows.
        (0, [1, 0x0f]),
        // More rows than there is room for.
        (3, [0x0f, 0xff]),
        // Rows behind the end.
        (5, [0x10, 0x01]),
        // A hole before the first row, one that is too small, and one that
        // refers to itself.
        (1, [0, 50]),
        (4_002, [0, 3]),
        (4_000, [0x0f, 0xa0]),
    ];
    for (at, bytes) in spoil {
        let mut page = page(0);
        page[at..at + 2].copy_from_slice(&bytes);
        let before = page.clone();
        assert!(!wipe(&mut page, 3, 4_096), "{at}");
        assert_eq!(page, before, "{at}");
    }
}

#[test]
fn the_pointer_map_is_where_sqlite_has_it() {
    assert_eq!(entry_of(1, 4_096), None);
    assert_eq!(entry_of(2, 4_096), None);
    assert_eq!(entry_of(3, 4_096), Some((2, 0)));
    assert_eq!(entry_of(821, 4_096), Some((2, 4_090)));
    assert_eq!(entry_of(822, 4_096), None);
    assert_eq!(entry_of(823, 4_096), Some((822, 0)));
    // The page with the locked byte is never used: what would be there is in
    // the page behind it.
    let locked = LOCKED_PAGE;
    assert_eq!(entry_of(locked, 4_096).map(|(map, _)| map), Some(261_582));
}
