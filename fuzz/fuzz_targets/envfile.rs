//! Any bytes are a document: printing returns them, and nothing panics or reports a wrong change.
#![no_main]

use envfile::{EnvFile, Reader, Reading, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // The value is the part before the first 0xFF, which is in no UTF-8; the document is the rest.
    let split = data.iter().position(|&byte| byte == 0xFF).unwrap_or(0);
    let value = String::from_utf8_lossy(&data[..split]).into_owned();
    let mut file = EnvFile::parse(&data[split..]);
    assert_eq!(file.to_bytes(), &data[split..]);

    for key in file.keys() {
        let _ = file.get(key);
        for reader in Reader::ALL {
            let _ = file.reading(*reader, key);
        }
    }
    for disagreement in file.disagreements(Reader::ALL) {
        assert!(disagreement.readings.len() <= Reader::ALL.len());
        if let Some(rewritten) = disagreement.rewritten {
            assert!(EnvFile::parse(rewritten.as_bytes()).disagreements(Reader::ALL).is_empty());
        }
    }

    let before = file.clone();
    match file.set("K", &value, Some(&before)) {
        Ok(change) => {
            assert!(encode(&value).is_ok());
            assert!(file.get("K").is_some_and(|entry| entry.value == value));
            assert_eq!(EnvFile::parse(&file.to_bytes()), file);
            assert_eq!(change.is_none(), file == before);
            assert!(file.set("K", &value, None).is_ok_and(|change| change.is_none()));
        }
        Err(_) => assert_eq!(file, before),
    }
    if let Ok(encoded) = encode(&value) {
        let file = EnvFile::parse(format!("K={encoded}\n").as_bytes());
        for reader in Reader::QUOTING {
            assert!(file.reading(*reader, "K") == Reading::Value(value.clone()), "{reader}");
        }
    }
});
