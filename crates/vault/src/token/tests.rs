//! Tokens are recognised by their hashes, have one form, and do not print.

use super::{ApiToken, TokenHash};

#[test]
fn a_token_is_found_again_by_its_hash_and_no_other_is() {
    let token = ApiToken::fresh().unwrap();
    let kept = TokenHash::new(*token.hash().bytes());
    let presented = ApiToken::parse(token.reveal()).unwrap();
    assert_eq!(presented.id(), token.id());
    assert!(kept.is_of(&presented));
    assert!(!kept.is_of(&ApiToken::fresh().unwrap()));

    // The same id with another secret, and the other way round.
    let other = ApiToken::fresh().unwrap();
    let secret = |token: &ApiToken| token.reveal()[20..].to_owned();
    let forged = ApiToken::parse(&format!("tl_{}_{}", token.id(), secret(&other))).unwrap();
    assert!(!kept.is_of(&forged));
    let renamed = ApiToken::parse(&format!("tl_{}_{}", other.id(), secret(&token))).unwrap();
    assert!(!kept.is_of(&renamed));
}

#[test]
fn tokens_differ_and_have_the_form_that_scanners_know() {
    let tokens: Vec<ApiToken> = (0..100).map(|_| ApiToken::fresh().unwrap()).collect();
    let ids: std::collections::BTreeSet<_> = tokens.iter().map(ApiToken::id).collect();
    assert_eq!(ids.len(), 100);
    for token in &tokens {
        assert_eq!(token.reveal().len(), "tl_".len() + 16 + 1 + 43);
        assert!(token.reveal().starts_with("tl_"));
    }
}

#[test]
fn what_has_not_the_form_of_a_token_is_none() {
    let token = ApiToken::fresh().unwrap();
    let text = token.reveal();
    let mut wrong = vec![
        String::new(),
        "tl_".to_owned(),
        format!("{text}A"),
        format!(" {text}"),
        format!("{text}="),
        text.to_uppercase(),
        text.replace("tl_", "tk_"),
        text[..text.len() - 1].to_owned(),
        format!("tl_{}ä_{}", &text[3..17], &text[20..]),
    ];
    // The last character holds two bits that no byte has: a second spelling of one token is none.
    let mut last = text.to_owned();
    let end = last.pop().unwrap();
    last.push(if end == 'B' { 'C' } else { 'B' });
    wrong.push(last);
    for text in wrong {
        assert!(ApiToken::parse(&text).is_none(), "{text}");
    }
}

#[test]
fn a_token_does_not_print() {
    let token = ApiToken::fresh().unwrap();
    let printed = format!("{token:?} {:?}", token.hash());
    assert!(printed.contains(token.id()), "{printed}");
    assert!(!printed.contains(&token.reveal()[20..]), "{printed}");
}
