//! Properties of all documents and all values.

use envfile::{EnvFile, LineKind, Reader, Reading, encode, encode_for_systemd};
use proptest::prelude::*;

use crate::strategies::{document, value};

/// A document on which one can build: each line is an assignment that all readers read alike, a comment, or blank.
fn sound_document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        ("[A-Z]{1,2}", "[a-z0-9]{0,3}").prop_map(|(key, value)| format!("{key}={value}\n")),
        "# [a-z=A-Z ]{0,6}\\\\?\n",
        Just("\n".to_owned()),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| lines.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parse_and_print_is_the_identity(bytes in prop::collection::vec(any::<u8>(), 0..64), document in document()) {
        for bytes in [bytes, document] {
            let file = EnvFile::parse(&bytes);
            prop_assert_eq!(file.to_bytes(), &*bytes);
            prop_assert!(file.lines().all(|line| !line.raw().is_empty()));
        }
    }

    #[test]
    fn nothing_panics(bytes in document(), value in value()) {
        let mut file = EnvFile::parse(&bytes);
        for key in file.keys() {
            for reader in Reader::ALL {
                let _ = file.reading(*reader, key);
            }
            let _ = file.get(key);
        }
        for disagreement in file.disagreements(Reader::ALL) {
            prop_assert!(disagreement.line >= 1);
        }
        let before = file.clone();
        if let Ok(Some(_)) = file.set("K", &value, Some(&before)) {
            prop_assert_eq!(file.get("K").map(|entry| entry.value), Some(value));
            // Lines that were not parsed again are as if they were.
            prop_assert!(EnvFile::parse(&file.to_bytes()).lines().eq(file.lines()));
        } else {
            prop_assert_eq!(file, before);
        }
    }

    #[test]
    fn values_encoded_for_systemd_are_read_exactly_by_it(value in value()) {
        if let Ok(encoded) = encode_for_systemd(&value) {
            let file = EnvFile::parse(format!("A=1\nK={encoded}\nZ=1\n").as_bytes());
            prop_assert!(file.reading(Reader::Systemd, "K") == Reading::Value(value), "{encoded}");
            prop_assert!(file.reading(Reader::Systemd, "Z") == Reading::Value("1".to_owned()), "{encoded}");
        } else {
            prop_assert!(encode(&value).is_err());
        }
    }

    #[test]
    fn encoded_values_are_read_exactly_by_all(value in value()) {
        if let Ok(encoded) = encode(&value) {
            let file = EnvFile::parse(format!("K={encoded}\n").as_bytes());
            for reader in Reader::QUOTING {
                let reading = file.reading(*reader, "K");
                prop_assert!(reading == Reading::Value(value.clone()), "{reader}: {encoded}");
            }
            prop_assert_eq!(file.disagreements(Reader::QUOTING), vec![]);
            // The others read it, or the difference is found.
            for reader in [Reader::DjangoEnviron, Reader::PythonDecouple] {
                let is_read = file.reading(reader, "K") == Reading::Value(value.clone());
                let is_found = !file.disagreements(&[Reader::PythonDotenv, reader]).is_empty();
                prop_assert!(is_read != is_found, "{reader}: {encoded}");
                prop_assert!(is_read || encoded.starts_with(['\'', '"']), "{reader}: {encoded}");
            }
        }
    }

    #[test]
    fn set_then_get_and_other_lines_stay(document in sound_document(), key in "[A-Z]{1,2}", value in value()) {
        let before = EnvFile::parse(document.as_bytes());
        let mut file = before.clone();
        let changed = file.set(&key, &value, None);
        prop_assert_eq!(changed.is_ok(), encode(&value).is_ok());
        if changed.is_err() {
            return Ok(());
        }
        prop_assert!(EnvFile::parse(&file.to_bytes()).lines().eq(file.lines()));
        for reader in Reader::QUOTING {
            prop_assert!(file.reading(*reader, &key) == Reading::Value(value.clone()), "{reader}");
        }
        let others = |file: &EnvFile| -> Vec<Vec<u8>> {
            let is_other = |line: &envfile::Line<'_>| line.kind() != LineKind::Blank && line.key() != Some(&key);
            file.lines().filter(is_other).map(|line| line.raw().to_vec()).collect()
        };
        prop_assert_eq!(others(&before), others(&file));
        prop_assert_eq!(file.keys().filter(|other| *other == key).count(), 1);
        prop_assert_eq!(file.set(&key, &value, None), Ok(None), "a second time, there is nothing to do");
    }

    #[test]
    fn set_touches_one_line(value in "[a-z ]{1,8}") {
        let text = "# first\r\nA=1\r\n\tK='X'\nexport B = 2 # odd\n\u{ff}\nC=\"d\ne\"";
        let mut file = EnvFile::parse(text.as_bytes());
        file.set("K", &value, None).unwrap();
        let encoded = encode(&value).unwrap();
        prop_assert_eq!(file.to_bytes(), text.replace("\tK='X'", &format!("\tK={encoded}")).into_bytes());
    }

    #[test]
    fn the_model_of_dotenvy_is_dotenvy(document in document()) {
        // The names of variables are not taken from the environment: none of them is in it.
        let file = EnvFile::parse(&document);
        let mut real = dotenvy::from_read_iter(document.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&document));
        let found = real.by_ref().take_while(Result::is_ok).flatten().find(|(key, _)| key == "K");
        match (file.reading(Reader::Dotenvy, "K"), found) {
            (Reading::Value(model), Some((_, real))) => prop_assert_eq!(model, real),
            (Reading::Unknown, Some(_)) | (Reading::Unset | Reading::Refused, None) => {}
            (model, found) => prop_assert!(false, "the model says {model:?}, dotenvy {found:?}"),
        }
    }
}
