//! Looks for many texts at once in whatever may hold them, in every form that they may have there.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
};

use crate::support::{Launch, base64, hex};

/// What is looked for: texts by number, each in several forms.
#[derive(Debug)]
pub(crate) struct Needles {
    /// Forms by their first eight bytes.
    by_start: HashMap<[u8; 8], Vec<(Vec<u8>, usize)>>,
    /// Whether some form begins with these two bytes. Most places are passed over for that.
    begins: Vec<bool>,
}

const ZEROS: [u8; 1024] = [0; 1024];

/// Names of files, each with the numbers of what was found there.
pub(crate) type Found = BTreeMap<PathBuf, BTreeSet<usize>>;

impl Needles {
    /// Texts of at least 16 bytes, in raw, hexadecimal and base64 form.
    pub(crate) fn in_all_forms<T: AsRef<[u8]>>(texts: &[T]) -> Self {
        let forms = texts.iter().enumerate().flat_map(|(number, text)| {
            forms(text.as_ref())
                .into_iter()
                .map(move |form| (form, number))
        });
        Self::of(forms)
    }

    /// Bytes as they are.
    pub(crate) fn raw<T: AsRef<[u8]>>(texts: &[T]) -> Self {
        let texts = texts.iter().enumerate();
        Self::of(texts.map(|(number, text)| (text.as_ref().to_vec(), number)))
    }

    fn of(forms: impl Iterator<Item = (Vec<u8>, usize)>) -> Self {
        let mut needles = Self {
            by_start: HashMap::new(),
            begins: vec![false; 1 << 16],
        };
        for (form, number) in forms {
            let start: [u8; 8] = form[..8].try_into().unwrap();
            assert_ne!(start, [0; 8]);
            needles.begins[usize::from(u16::from_le_bytes([start[0], start[1]]))] = true;
            needles
                .by_start
                .entry(start)
                .or_default()
                .push((form, number));
        }
        needles
    }

    /// Numbers of the texts that are there in some form.
    pub(crate) fn in_bytes(&self, haystack: &[u8]) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut at = 0;
        while at + 8 <= haystack.len() {
            // No form begins with eight zeros, and files are full of them.
            if haystack[at..].starts_with(&ZEROS) {
                at += ZEROS.len() - 7;
                continue;
            }
            let block_end = (at + ZEROS.len()).min(haystack.len() - 7);
            for start in at..block_end {
                self.at(&haystack[start..], &mut found);
            }
            at = block_end;
        }
        found
    }

    fn at(&self, haystack: &[u8], found: &mut BTreeSet<usize>) {
        if !self.begins[usize::from(u16::from_le_bytes([haystack[0], haystack[1]]))] {
            return;
        }
        for (form, number) in self.by_start.get(&haystack[..8]).into_iter().flatten() {
            if haystack.starts_with(form) {
                found.insert(*number);
            }
        }
    }

    /// Looks through everything that a launch leaves on the disk: each file of the data folder, and what the
    /// servers wrote.
    pub(crate) fn in_launch(&self, launch: &Launch) -> Found {
        let mut files = files_below(&launch.data_dir());
        files.extend([launch.log_file(), launch.stdout_file()]);
        let found = files.into_iter().map(|file| {
            let numbers = self.in_bytes(&fs::read(&file).unwrap());
            (PathBuf::from(file.file_name().unwrap()), numbers)
        });
        found.filter(|(_, numbers)| !numbers.is_empty()).collect()
    }
}

/// Regular files, however deep.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(files_below(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

/// Raw, hexadecimal in both letter cases, and what base64 makes of it wherever it begins in a longer text.
fn forms(text: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut forms = BTreeSet::from([
        text.to_vec(),
        hex(text).into(),
        hex(text).to_uppercase().into(),
    ]);
    for skipped in 0..3 {
        // Groups of three bytes that are whole wherever the text stands; their neighbours do not show in them.
        let whole = text[skipped..].chunks_exact(3).flatten().copied();
        let encoded = base64(&whole.collect::<Vec<u8>>());
        forms.insert(encoded.replace('+', "-").replace('/', "_").into());
        forms.insert(encoded.into());
    }
    forms
}

#[test]
fn every_form_is_found_wherever_it_stands() {
    let texts = [
        "canary~with!32?printable@letters",
        "another*canary/of+the=same_size.",
    ];
    let needles = Needles::in_all_forms(&texts);
    for (number, text) in texts.iter().enumerate() {
        for before in 0..7 {
            let longer = format!("{}{text}xyz", "#".repeat(before));
            for form in [
                longer.clone(),
                hex(longer.as_bytes()),
                hex(longer.as_bytes()).to_uppercase(),
                base64(longer.as_bytes()),
                base64(longer.as_bytes())
                    .replace('+', "-")
                    .replace('/', "_"),
            ] {
                assert_eq!(
                    needles.in_bytes(form.as_bytes()),
                    BTreeSet::from([number]),
                    "{form}"
                );
            }
        }
        let far = [&[0; 5000], text.as_bytes(), &[0; 5000], text.as_bytes()].concat();
        assert_eq!(needles.in_bytes(&far), BTreeSet::from([number]));
        // A part of it is not it.
        assert_eq!(needles.in_bytes(&text.as_bytes()[..31]), BTreeSet::new());
    }
}
