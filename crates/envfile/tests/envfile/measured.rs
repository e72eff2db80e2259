//! The models against `measured.txt`, a table of the real readers' results for the same files.

use envfile::{EnvFile, Reader, Reading};

const TABLE: &str = include_str!("measured.txt");

/// The cells for which a model claims no value, because it depends on an environment or on the output of a command.
const OPEN: &[(&str, Reader)] = &[
    ("047", Reader::Compose),
    ("047", Reader::Bash),
    ("047", Reader::Dotenvy),
    ("050", Reader::Bash),
    ("050", Reader::Dotenvy),
    ("055", Reader::Bash),
    ("055", Reader::Dotenvy),
    ("062", Reader::Bash),
    ("066", Reader::Bash),
    ("106", Reader::Bash),
    ("107", Reader::Bash),
    ("108", Reader::Bash),
    ("128", Reader::Bash),
];

/// Rows about the name itself: the variable that was looked for.
const OTHER_NAMES: &[(&str, &str)] = &[("122", "A.B"), ("123", "A-B"), ("125", "1K"), ("131", "É")];

struct Row {
    number: &'static str,
    mark: &'static str,
    file: Vec<u8>,
    cells: Vec<(Reader, &'static str)>,
}

fn rows() -> Vec<Row> {
    let mut lines = TABLE.lines().skip_while(|line| !line.starts_with('#')).map(columns);
    let header = lines.next().expect("the table has a header");
    let readers: Vec<Reader> = header[4..].iter().map(|name| name.parse().expect("a reader")).collect();
    let row = |columns: Vec<&'static str>| {
        assert_eq!(columns.len(), header.len(), "row {}", columns[0]);
        let cells = readers.iter().copied().zip(columns[4..].iter().copied()).collect();
        Row { number: columns[0], mark: columns[1], file: file(columns[3]), cells }
    };
    lines.map(row).collect()
}

/// The variable that was looked for.
fn name(row: &Row) -> &'static str {
    OTHER_NAMES.iter().find(|(number, _)| *number == row.number).map_or("K", |(_, name)| name)
}

fn columns(line: &'static str) -> Vec<&'static str> {
    line.split(" | ").map(str::trim).collect()
}

/// The bytes that a cell of the file column stands for.
fn file(cell: &str) -> Vec<u8> {
    if let Some(len) = byte_count(cell) {
        return format!("K={}\n", "x".repeat(len - 3)).into_bytes();
    }
    let mut bytes = Vec::new();
    for part in text(cell).split_inclusive("\\xff\\xfe") {
        let (text, is_invalid) = part.strip_suffix("\\xff\\xfe").map_or((part, false), |text| (text, true));
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(if is_invalid { b"\xff\xfe" } else { b"" });
    }
    bytes
}

fn byte_count(cell: &str) -> Option<usize> {
    cell.strip_prefix('⟨')?.strip_suffix(" bytes⟩")?.parse().ok()
}

fn text(cell: &str) -> String {
    let signs = [
        ("·", " "),
        ("⇥", "\t"),
        ("⏎", "\n"),
        ("␍", "\r"),
        ("⍽", "\u{A0}"),
        ("ˋ", "`"),
        ("⟨01⟩", "\u{1}"),
        ("⟨BOM⟩", "\u{FEFF}"),
        ("∅empty", ""),
    ];
    signs.iter().fold(cell.to_owned(), |text, (sign, meaning)| text.replace(sign, meaning))
}

/// Returns whether `reading` equals `cell`; `None` where the reading claims nothing that could be compared.
fn is_measured(reading: &Reading, cell: &str) -> Option<bool> {
    match (reading, cell) {
        (Reading::Refused | Reading::Unset | Reading::Runs, "ERR") | (Reading::Unset | Reading::Unknown, "unset") => {
            Some(true)
        }
        (Reading::Unknown | Reading::Runs, _) => None,
        (Reading::Value(value), cell) => {
            let expected = byte_count(cell).map_or_else(|| text(cell), |len| "x".repeat(len));
            Some(*value == expected.replace("\\xff\\xfe", "\u{FFFD}\u{FFFD}") && cell != "ERR" && cell != "unset")
        }
        (Reading::Refused | Reading::Unset, _) => Some(false),
    }
}

#[test]
fn models_read_as_the_real_readers() {
    let rows = rows();
    assert!(rows.len() > 90, "the table has {} rows", rows.len());
    let mut wrong = Vec::new();
    let mut open = Vec::new();
    for row in &rows {
        let document = EnvFile::parse(&row.file);
        for (reader, cell) in &row.cells {
            let reading = document.reading(*reader, name(row));
            match is_measured(&reading, cell) {
                Some(true) => {}
                Some(false) => {
                    wrong.push(format!("{} {reader}: measured {cell}, the model says {reading:?}", row.number));
                }
                None => open.push((row.number, *reader)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(open, OPEN);
}

#[test]
fn lookup_equals_python_dotenv() {
    for row in rows() {
        let (_, cell) = row.cells.iter().find(|(reader, _)| *reader == Reader::PythonDotenv).expect("a column");
        let document = EnvFile::parse(&row.file);
        let is_utf8 = std::str::from_utf8(&row.file).is_ok();
        let found = document.get(name(&row)).map_or(Reading::Unset, |entry| Reading::Value(entry.value));
        // The library parses the readable parts of a file that is not UTF-8, where python-dotenv fails.
        assert_eq!(is_measured(&found, cell), Some(is_utf8), "row {}: {cell}", row.number);
    }
}

#[test]
fn disagreements_are_found_where_the_readers_differ() {
    for row in rows() {
        let document = EnvFile::parse(&row.file);
        for readers in [Reader::ALL, Reader::QUOTING] {
            let cells = row.cells.iter().filter(|(reader, _)| readers.contains(reader)).map(|(_, cell)| cell);
            let cells: Vec<_> = cells.collect();
            let is_alike = cells.iter().all(|cell| *cell == cells[0] && **cell != "ERR");
            let found = document.disagreements(readers);
            assert_eq!(found.is_empty(), is_alike, "row {}: {found:?}", row.number);
        }
        let expected = row.cells[..6].iter().all(|(_, cell)| *cell == row.cells[0].1);
        assert_eq!(row.mark == "=6", expected, "row {}: its mark", row.number);
    }
}
