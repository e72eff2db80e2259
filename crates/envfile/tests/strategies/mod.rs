//! Strategies for values and documents, made of parts that have a meaning to some reader rather than of all characters
//! alike.

use proptest::prelude::*;

/// Documents, few of which all readers take.
pub(crate) fn document() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[KZ]",
        "[ \t'\"\\\\$`#=\n]",
        Just("K=".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("export ".to_owned()),
        Just("${K:-".to_owned()),
        Just("# K=".to_owned()),
        Just(" #".to_owned()),
        "[a-z;&|<>(){}!~*:.+-]",
        "[é🚀\u{A0}\u{2028}\u{1}\u{7F}]",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

/// Values, most of which can be written.
pub(crate) fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,12}", "['\"\\\\$`#{}a \n\t-]{0,8}", ".{0,6}"]
}
