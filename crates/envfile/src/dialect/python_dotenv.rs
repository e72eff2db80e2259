//! python-dotenv 1.2.4. It skips a line that it cannot read with a warning, and refuses a file that is not UTF-8.

use super::{Statements, Variables, value_or_unknown};
use crate::Reading;
use crate::cursor::Cursor;
use crate::line::{self, Line};
use crate::quote::{Piece, pieces};

pub(super) fn read<'a>(cursor: &mut Cursor<'a>, statements: &mut Statements<'a>) {
    let mut number = statements.line_at(cursor.pos);
    let line = Line::new(statements.text, line::next(cursor, &mut number));
    let reading = reading(line, &statements.variables);
    if let Some(name) = line.name() {
        statements.variables.insert(name, &reading);
    }
    if !line.is_valid() {
        statements.push(line.start()..line.end(), line.name(), Reading::Refused);
    } else if !line.kind().has_no_content() {
        statements.push(line.start()..line.end(), line.name(), reading);
    }
}

fn reading(line: Line<'_>, variables: &Variables<'_>) -> Reading {
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
