//! Python as text: statements, string literals, and the variables that are read from the environment.

/// A statement of the top level or of a block, on one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// The line on which it begins, counted from 1.
    pub(super) line: usize,
    /// Its text without comments and line breaks.
    pub(super) text: String,
}

impl Statement {
    /// Returns whether this assigns to a setting: `DEBUG = …`, `DEBUG: bool = …`, `ALLOWED_HOSTS += …`,
    /// `ALLOWED_HOSTS.append(…)`. A setting of Celery in lower case may be an attribute (`app.conf.broker_url = …`) or a
    /// keyword (`Celery(broker=…)`).
    pub(super) fn assigns(&self, setting: &str) -> bool {
        let text = self.text.as_str();
        let may_be_inside = setting.starts_with(|c: char| c.is_ascii_lowercase());
        text.match_indices(setting).any(|(at, _)| {
            let is_target = at == 0 || (may_be_inside && text[..at].ends_with(['.', '(', ' ']));
            let after = text[at + setting.len()..].trim_start();
            let after = match after.strip_prefix(':').and_then(|annotation| annotation.split_once('=')) {
                Some((annotation, _)) if annotation.chars().all(|c| c.is_alphanumeric() || "_[]| .".contains(c)) => "=",
                _ => after,
            };
            let is_assigned = after.starts_with('=') && !after.starts_with("==");
            is_target && (is_assigned || ["+=", ".extend(", ".append("].iter().any(|begin| after.starts_with(begin)))
        })
    }

    /// Returns the name and the value of a plain assignment, such as `_debug = os.environ["DEBUG"]`.
    pub(super) fn assignment(&self) -> Option<(&str, &str)> {
        let (name, value) = self.text.split_once('=')?;
        let name = name.split(':').next().unwrap_or_default().trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_name && !value.starts_with('=')).then_some((name, value.trim()))
    }
}

/// Splits source text into statements. Brackets, backslashes and triple quotes continue one on the next line.
pub(super) fn statements(source: &str) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    let (mut text, mut line, mut start) = (String::new(), 1, 1);
    let mut is_blank = true;
    let mut depth = 0_usize;
    let mut quote: Option<&str> = None;
    let mut rest = source;
    let mut finish = |text: &mut String, line: usize| {
        let statement = std::mem::take(text);
        let trimmed = statement.trim();
        if !trimmed.is_empty() {
            all.push(Statement { line, text: trimmed.to_owned() });
        }
    };
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        if c == '\n' {
            line += 1;
        }
        if text.is_empty() {
            is_blank = true;
        }
        if is_blank && !c.is_whitespace() {
            (start, is_blank) = (line, false);
        }
        match quote {
            Some(end) if rest.starts_with(end) => {
                length = end.len();
                text.push_str(end);
                quote = None;
            }
            // A string without triple quotes ends with its line.
            Some(end) if c == '\n' && end.len() == 1 => {
                quote = None;
                finish(&mut text, start);
            }
            Some(_) if c == '\\' => {
                text.push(c);
                if let Some(escaped) = rest.chars().nth(1) {
                    length += escaped.len_utf8();
                    line += usize::from(escaped == '\n');
                    text.push(escaped);
                }
            }
            Some(_) => text.push(if c == '\n' { ' ' } else { c }),
            None => match c {
                '"' | '\'' => {
                    let opening = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|opening| rest.starts_with(opening));
                    let opening = opening.unwrap_or("'");
                    length = opening.len();
                    text.push_str(opening);
                    quote = Some(opening);
                }
                '#' => length = rest.find('\n').unwrap_or(rest.len()),
                '(' | '[' | '{' => {
                    depth += 1;
                    text.push(c);
                }
                ')' | ']' | '}' => {
                    depth = depth.saturating_sub(1);
                    text.push(c);
                }
                '\\' if rest[1..].starts_with('\n') => {
                    length = 2;
                    line += 1;
                    text.push(' ');
                }
                '\n' | ';' if depth == 0 => finish(&mut text, start),
                '\n' => text.push(' '),
                c => text.push(c),
            },
        }
        rest = &rest[length..];
    }
    finish(&mut text, start);
    all
}

/// Replaces a name in a text where it stands alone.
pub(super) fn with_value(text: &str, name: &str, value: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "_\"'.".contains(c);
    let (mut replaced, mut done) = (String::new(), 0);
    for (at, _) in text.match_indices(name) {
        let after = &text[at + name.len()..];
        let is_alone = !text[..at].ends_with(is_part) && !after.starts_with(|c: char| c != '.' && is_part(c));
        replaced.extend([&text[done..at], if is_alone { value } else { name }]);
        done = at + name.len();
    }
    replaced + &text[done..]
}

/// Returns the contents of the string literals in a statement, without those that have escapes.
pub(crate) fn literals(statement: &str) -> Vec<&str> {
    with_positions(statement).into_iter().map(|(_, literal)| literal).collect()
}

fn with_positions(statement: &str) -> Vec<(usize, &str)> {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some(found) = statement[at..].find(['"', '\'']) {
        let start = at + found;
        let opening = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|opening| statement[start..].starts_with(opening));
        let opening = opening.unwrap_or("'");
        let content = start + opening.len();
        let Some(length) = statement[content..].find(opening) else { break };
        let literal = &statement[content..content + length];
        if !literal.contains('\\') {
            all.push((start, literal));
        }
        at = content + length + opening.len();
    }
    all
}

/// Returns the names of variables that a statement reads: literals in capitals that are the first argument of a call or
/// the key of an index, as in `getenv("X")` and `environ["X"]`.
pub(super) fn variables(statement: &str) -> Vec<&str> {
    let is_name = |literal: &str| {
        literal.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && literal.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let is_read = |at: usize| {
        let before = statement[..at].trim_end();
        let before = before.strip_suffix("name=").map_or(before, str::trim_end);
        let reader = before.strip_suffix('(').or_else(|| before.strip_suffix('[')).map(str::trim_end);
        reader.is_some_and(|reader| reader.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let found = with_positions(statement).into_iter().filter(|(at, literal)| is_name(literal) && is_read(*at));
    found.map(|(_, literal)| literal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_of_a_source() {
        let source = "import os  # DEBUG = 1\nA = [\n    1,  # one\n]\nB = 'it#s' ; C = \"\"\"x\n y\"\"\"\nif x:\n    D = \\\n      2\n";
        let found: Vec<_> = statements(source).into_iter().map(|it| (it.line, it.text)).collect();
        let expected = [
            (1, "import os"),
            (2, "A = [     1,   ]"),
            (5, "B = 'it#s'"),
            (5, "C = \"\"\"x  y\"\"\""),
            (7, "if x:"),
            (8, "D =        2"),
        ];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn statements_that_assign() {
        for (text, setting, expected) in [
            ("DEBUG = True", "DEBUG", true),
            ("DEBUG: bool = env('X')", "DEBUG", true),
            ("DEBUG: Annotated[bool, 1] = 2", "DEBUG", false),
            ("TEMPLATE_DEBUG = True", "DEBUG", false),
            ("if DEBUG == 1:", "DEBUG", false),
            ("DEBUG_TOOLBAR = 1", "DEBUG", false),
            ("app.conf.broker_url = x", "broker_url", true),
            ("app = Celery('x', broker=os.environ['X'])", "broker", true),
            ("app = Celery('x', broker_pool=1)", "broker", false),
            ("stripe.DEBUG = x", "DEBUG", false),
            ("x = dict(DEBUG=1)", "DEBUG", false),
            ("ALLOWED_HOSTS += x", "ALLOWED_HOSTS", true),
            ("ALLOWED_HOSTS.extend(x)", "ALLOWED_HOSTS", true),
        ] {
            let statement = Statement { line: 1, text: text.to_owned() };
            assert_eq!(statement.assigns(setting), expected, "{text}");
        }
    }

    #[test]
    fn a_name_is_replaced_where_it_stands_alone() {
        assert_eq!(with_value("a = x.split() + xx + 'x' + y.x", "x", "V"), "a = V.split() + xx + 'x' + y.x");
    }

    #[test]
    fn variables_that_are_read() {
        for (statement, expected) in [
            ("A = os.environ['X']", vec!["X"]),
            ("A = os.environ.get(\"X_1\", 'DEFAULT')", vec!["X_1"]),
            ("A = env.bool( 'X', default=True)", vec!["X"]),
            ("A = config('X', cast=Csv())", vec!["X"]),
            ("A = bool(int(getenv('X', 1)))", vec!["X"]),
            ("A = ['X', 'Y']", vec![]),
            ("A = 'X' in os.environ", vec![]),
            ("A = env('x')", vec![]),
            ("A = env(name='X')", vec!["X"]),
            ("A = env('X') or env('Y')", vec!["X", "Y"]),
            ("A = 'unclosed", vec![]),
        ] {
            assert_eq!(variables(statement), expected, "{statement}");
        }
    }
}
