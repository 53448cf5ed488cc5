//! Pages and codes belong together.

use super::{PAGES, code_of, page};
use crate::core::code::Code;
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let codes: BTreeSet<String> = Code::ALL.iter().map(Code::to_string).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let files: BTreeSet<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".md").map(str::to_owned))
        .collect();
    assert_eq!(files, codes);
    let built_in: BTreeSet<String> = PAGES.iter().map(|(of, _)| format!("TL{of}")).collect();
    assert_eq!(built_in, codes);
}

#[test]
fn every_page_has_the_codes_title_and_the_three_sections() {
    for &code in Code::ALL {
        let page = page(code);
        let head = format!("# {code}: {}\n\n## What happened\n\n", code.title());
        assert!(page.starts_with(&head), "{code}");
        for section in ["## What Trunkline did\n\n", "## What you do\n\n"] {
            assert!(page.contains(section), "{code} lacks {section:?}");
        }
    }
}

#[test]
fn a_code_is_recognised_however_it_is_written() {
    for text in ["TL0010", "tl0010", "TL10", "10", " 0010 "] {
        assert_eq!(code_of(text), Some(Code::RunNotFound), "{text}");
    }
    for text in ["", "TL", "TL9999", "XL0010", "ü1", "-10"] {
        assert_eq!(code_of(text), None, "{text}");
    }
}
