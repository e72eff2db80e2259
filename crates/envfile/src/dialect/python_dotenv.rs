//! python-dotenv 1.2.4. It skips a line that it cannot read with a warning, and refuses a file that is not UTF-8.

use super::{Statement, Variables, value_or_unknown};
use crate::Reading;
use crate::cursor::Text;
use crate::line::{self, Content, Line};
use crate::quote::{Piece, pieces};

pub(super) fn read(text: &Text) -> Vec<Statement> {
    let mut variables = Variables::default();
    let mut statements = Vec::new();
    for line in line::split(text.bytes()) {
        let reading = reading(&line, &variables);
        if let Some(name) = line.name() {
            variables.insert(name, &reading);
        }
        let is_not_utf8 = std::str::from_utf8(line.raw()).is_err();
        match line.content() {
            _ if is_not_utf8 => statements.push(statement(&line, Reading::Refused)),
            Content::Comment | Content::Blank => {}
            _ => statements.push(statement(&line, reading)),
        }
    }
    statements
}

fn statement(line: &Line, reading: Reading) -> Statement {
    let line_feeds = line.text().matches('\n').count();
    Statement { lines: (line.number(), line.number() + line_feeds), key: line.name().map(str::to_owned), reading }
}

fn reading(line: &Line, variables: &Variables) -> Reading {
    let Some(assignment) = line.assignment() else { return Reading::Unset };
    if assignment.key.contains('\0') || assignment.value.contains('\0') {
        return Reading::Refused;
    }
    let mut value = String::new();
    for piece in pieces(&assignment.value) {
        match piece {
            Piece::Text(text) => value.push_str(text),
            Piece::Variable { name, .. } => {
                if variables.append(name, &mut value).is_none() {
                    return value_or_unknown(None);
                }
            }
        }
    }
    Reading::Value(value)
}
