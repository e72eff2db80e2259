//! Generated secrets.

use anyhow::anyhow;

/// The URL-safe base64 alphabet: every reader of `.env` takes it bare, even `docker run --env-file`.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many characters a generated key has: 384 bits.
const LENGTH: usize = 64;

/// A new key from the operating system's random source.
pub(super) fn generate() -> anyhow::Result<String> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    // 64 divides 256, so that every character is equally likely.
    Ok(bytes.iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_of_the_alphabet_and_differ() {
        let key = generate().expect("random bytes");
        assert_eq!(key.len(), LENGTH);
        assert!(key.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(key, generate().expect("random bytes"));
        assert_eq!(envfile::encode(&key).as_deref(), Ok(key.as_str()));
    }
}
