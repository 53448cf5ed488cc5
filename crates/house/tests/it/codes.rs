//! Error codes: each is documented, each is used, and nothing is documented that does not exist.

use trunkline_core::code::Code;
use trunkline_house::{assert_none, tree};

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let mut broken = Vec::new();
    for &code in Code::ALL {
        let path = format!("docs/errors/{code}.md");
        if !tree::root().join(&path).exists() {
            broken.push(format!("{path} is missing: {code:?}, “{}”", code.title()));
            continue;
        }
        let page = tree::file(&path);
        let heading = page.text.lines().next().unwrap_or_default();
        if !heading.starts_with(&format!("# {code}")) {
            broken.push(format!("{path} does not open with “# {code}”"));
        }
    }
    for file in tree::files(&[".md"]) {
        let Some(name) = file.path.strip_prefix("docs/errors/TL") else {
            continue;
        };
        let number = name.trim_end_matches(".md").parse::<u16>().ok();
        if !Code::ALL.iter().any(|code| Some(code.number()) == number) {
            broken.push(format!("{} describes no code", file.path));
        }
    }
    assert_none(
        &broken,
        "A page says what happened, why, and what to do. `trunkline explain` prints it. A code is never reused.",
    );
}

#[test]
fn every_code_is_used() {
    let sources: String = tree::files(&[".rs"])
        .into_iter()
        .filter(|file| {
            let path = file.path.as_str();
            path != "crates/core/src/code.rs"
                && !path.starts_with("crates/house/")
                && !path.contains("tests")
        })
        .map(|file| file.text)
        .collect();
    let broken: Vec<String> = Code::ALL
        .iter()
        .filter(|code| {
            let name = format!("Code::{code:?}");
            let named = sources.match_indices(&name).any(|(at, _)| {
                // Not merely the beginning of a longer name.
                !sources[at + name.len()..].starts_with(|next: char| next.is_alphanumeric())
            });
            // The failures that the core writes into histories hold the code as text.
            !named && !sources.contains(&format!("\"{code}\""))
        })
        .map(|code| format!("{code} {code:?}"))
        .collect();
    assert_none(
        &broken,
        "Refuse something with it, or take it out of crates/core/src/code.rs while no release has it.",
    );
}
