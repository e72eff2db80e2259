//! systemd: the functions that the service manager reads an `EnvironmentFile=` with, from its shared library.
//!
//! They are no public interface, so only the library of systemd 252 will do. Its services need PID 1; this does not.

use std::path::{Path, PathBuf};

use envfile::Reading;

use crate::{NoAnswer, Real, find, output, program, records};

const LIBRARY: &str = "libsystemd-shared-252.so";

const FOLDERS: &[&str] =
    &["/usr/lib/systemd", "/usr/lib/x86_64-linux-gnu/systemd", "/usr/lib/aarch64-linux-gnu/systemd"];

const SCRIPT: &str = r#"
import ctypes, sys
systemd = ctypes.CDLL(sys.argv[1])
strings = ctypes.POINTER(ctypes.c_char_p)
systemd.load_env_file.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.POINTER(strings)]
systemd.env_assignment_is_valid.argtypes = [ctypes.c_char_p]
systemd.env_assignment_is_valid.restype = ctypes.c_bool
for index in range(int(sys.argv[2])):
    found = strings()
    status = systemd.load_env_file(None, f"{index}.env".encode(), ctypes.byref(found))
    state, value = (b"unset", b"") if status >= 0 else (b"refused", b"")
    position = 0
    while status >= 0 and found and found[position] is not None:
        key, _, text = found[position].partition(b"=")
        if key == b"K" and systemd.env_assignment_is_valid(found[position]):
            state, value = b"value", text
        position += 1
    sys.stdout.buffer.write(b"\0".join([str(index).encode(), state, value, b""]))
"#;

pub(crate) fn ask(folder: &Path, readings: &[Reading]) -> Result<Vec<Real>, NoAnswer> {
    let python = find("python3")?;
    let mut libraries = FOLDERS.iter().map(|folder| PathBuf::from(folder).join(LIBRARY));
    let library = libraries.find(|library| library.is_file());
    let library = library.ok_or_else(|| NoAnswer::Absent(format!("library not found: `{LIBRARY}`")))?;
    let count = readings.len();
    let mut python = program(&python, folder);
    python.args(["-c", SCRIPT]).arg(library).arg(count.to_string());
    Ok(records(&output(&mut python)?, count))
}
