//! What is known of Docker Compose.

/// Whether this is version 2 or later: `2.26.1` or `v2.26.1-3`.
#[must_use]
pub fn is_v2(version: &str) -> bool {
    let major = version.trim().trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse::<u32>().is_ok_and(|major| major >= 2)
}

#[cfg(test)]
mod tests {
    use super::is_v2;

    #[test]
    fn versions_of_compose() {
        for version in ["2.26.1\n", "v2.29.7", "2.26.1-4", "5.0.0"] {
            assert!(is_v2(version), "{version}");
        }
        for version in ["1.29.2", "", "dev"] {
            assert!(!is_v2(version), "{version}");
        }
    }
}
