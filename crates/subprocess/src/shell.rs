//! Words of commands that a person types.

/// Returns a word as it is typed into a shell: in single quotes unless it is plain.
#[must_use]
pub fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-=".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_split_or_expand_them() {
        assert_eq!(quoted("/srv/app-1/manage.py"), "/srv/app-1/manage.py");
        assert_eq!(quoted("/srv/two words"), "'/srv/two words'");
        assert_eq!(quoted("it's $5"), r"'it'\''s $5'");
    }
}
