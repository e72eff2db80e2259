//! Which names every reader accepts as the name of a variable.

/// Names that bash does not let be assigned: a file with one of them stops at "readonly variable".
const READ_ONLY_IN_BASH: &[&str] = &["BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"];

/// Whether `key` matches `[A-Za-z_][A-Za-z0-9_]*`, which all readers take.
pub(crate) fn is_name(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && key.chars().all(is_name_char)
}

/// Whether `c` may stand in a name, other than at its start.
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Whether bash refuses to assign to `key`.
pub(crate) fn is_read_only(key: &str) -> bool {
    READ_ONLY_IN_BASH.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for name in ["K", "_", "a1", "DJANGO_ENV", "export"] {
            assert!(is_name(name), "{name}");
        }
        for other in ["", "1K", "A.B", "A-B", "É", "A B", "K+", "'K'", "K\n"] {
            assert!(!is_name(other), "{other:?}");
        }
        assert!(is_read_only("UID") && !is_read_only("UID2"));
    }
}
