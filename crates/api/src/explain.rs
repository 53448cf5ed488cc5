//! The pages of `docs/errors/`, built in: what `trunkline explain TL0042` prints and `/v1/errors/TL0042` serves.
//!
//! Each page says what happened, what Trunkline did, and what you do. There is one for each code, and none without a code;
//! tests assert both.

use crate::core::code::Code;

macro_rules! pages {
    ($( $number:literal )*) => {
        /// The page of a code, as Markdown.
        const PAGES: &[(&str, &str)] = &[
            $( ($number, include_str!(concat!("../../../docs/errors/TL", $number, ".md"))), )*
        ];
    };
}

pages! {
    "0001" "0002" "0003" "0004" "0005" "0006" "0007" "0008" "0009" "0010"
    "0011" "0012" "0013" "0014" "0015" "0016" "0017" "0018" "0019" "0020"
    "0021" "0022" "0023" "0024" "0025" "0026" "0027" "0028" "0029" "0030"
    "0031" "0040" "0041" "0042" "0043" "0044" "0045" "0046" "0047" "0048"
    "0050" "0051" "0052" "0053" "0054" "0055" "0056" "0057" "0058" "0059"
    "0060" "0061" "0062" "0063" "0064" "0065" "0066" "0067" "0070" "0071"
    "0072" "0073" "0074" "0075" "0076" "0077" "0078" "0079" "0080" "0081"
    "0082" "0083" "0084" "0085" "0086" "0087" "0088" "0090" "0091" "0092"
    "0093" "0094" "0095" "0100" "0101" "0102" "0103" "0104" "0105" "0110"
    "0111" "0112" "0113" "0114" "0115" "0116" "0117" "0118" "0119" "0120"
    "0121" "0122" "0123" "0124" "0125" "0126" "0127" "0130" "0131" "0132"
    "0133" "0134" "0135" "0136" "0137"
}

/// The page that explains `code`, as Markdown.
#[must_use]
pub fn page(code: Code) -> &'static str {
    let number = format!("{:04}", code.number());
    PAGES
        .iter()
        .find(|(of, _)| *of == number)
        .map_or(code.title(), |(_, page)| page)
}

/// The code that a person wrote: `TL0042`, `tl42` or `42`.
#[must_use]
pub fn code_of(text: &str) -> Option<Code> {
    let text = text.trim();
    let digits = match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("TL") => &text[2..],
        _ => text,
    };
    let number: u16 = digits.parse().ok()?;
    Code::ALL
        .iter()
        .copied()
        .find(|code| code.number() == number)
}

#[cfg(test)]
mod tests;
