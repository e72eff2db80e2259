//! A model of a disk: what is written, what of it is flushed, and what a power cut can leave.
//!
//! A flush of a file keeps its content, a flush of a folder the entries in it. Of everything that is not flushed, a power
//! cut can lose any part: the content of a file and not its name, or a later write and not an earlier one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::super::root::Step;

/// The number of unflushed writes up to which all subsets are tried.
const ALL_SUBSETS: usize = 8;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Entry {
    Folder,
    Link(PathBuf),
    /// A file, by its number.
    File(usize),
}

#[derive(Debug, Clone)]
enum Write {
    Entry(PathBuf, Entry),
    Removal(PathBuf),
    Rename(PathBuf, PathBuf, Entry),
    Content(usize, Vec<u8>),
    FlushFile(usize),
    FlushFolder(PathBuf),
    FlushAll,
}

/// Everything that was written, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    writes: Vec<Write>,
    entries: BTreeMap<PathBuf, Entry>,
    contents: Vec<Vec<u8>>,
}

/// The files that a power cut has left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    folders: BTreeSet<PathBuf>,
    links: BTreeMap<PathBuf, PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Disk {
    /// A disk with these files, all of them flushed.
    pub(super) fn of(state: &State) -> Self {
        let mut disk = Disk::default();
        state.folders.iter().for_each(|folder| disk.make_folder(folder));
        state.links.iter().for_each(|(path, to)| disk.symlink(path, to));
        state.files.iter().for_each(|(path, content)| disk.write(path, content));
        disk.flush_all();
        disk
    }

    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    pub(super) fn make_folder(&mut self, path: &Path) {
        for folder in path.ancestors().collect::<Vec<_>>().into_iter().rev() {
            if !self.entries.contains_key(folder) {
                self.enter(folder, Entry::Folder);
            }
        }
    }

    pub(super) fn symlink(&mut self, path: &Path, to: &Path) {
        self.enter(path, Entry::Link(to.to_owned()));
    }

    pub(super) fn flush_all(&mut self) {
        self.writes.push(Write::FlushAll);
    }

    /// Creates a file in place of one that may be there, or with its folder.
    pub(super) fn write(&mut self, path: &Path, content: &[u8]) {
        self.make_folder(path.parent().expect("a folder"));
        if self.entries.contains_key(path) {
            self.remove(path);
        }
        let file = self.contents.len();
        self.contents.push(Vec::new());
        self.enter(path, Entry::File(file));
        self.set(file, content);
    }

    pub(super) fn run_all(&mut self, steps: &[Step]) {
        for step in steps {
            self.run(step);
        }
    }

    /// Writes as a command does. An unknown command fails the test: the model has to know it first.
    fn run(&mut self, step: &Step) {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["install", "-d", "-o", _, "-g", _, "-m", _, paths @ ..] => {
                for path in paths.iter().copied() {
                    self.make_folder(Path::new(path));
                }
            }
            ["install", .., "/dev/stdin", to] => self.write(Path::new(to), &step.stdin),
            ["install", .., from, to] => {
                let content = self.content(Path::new(from)).to_vec();
                self.write(Path::new(to), &content);
            }
            ["cp", "-a", from, to] => self.copy_over(Path::new(from), Path::new(to)),
            ["mv", "-T", from, to] => self.rename(Path::new(from), Path::new(to)),
            ["ln", "-sfT", to, path] => {
                if self.entries.contains_key(Path::new(path)) {
                    self.remove(Path::new(path));
                }
                self.symlink(Path::new(path), Path::new(to));
            }
            ["rm", _, paths @ ..] => paths.iter().for_each(|path| self.remove_all(Path::new(path))),
            ["sync", "-f", _] => self.flush_all(),
            ["sync", paths @ ..] => paths.iter().for_each(|path| self.flush(Path::new(path))),
            ["chown" | "chmod" | "systemctl" | "cat" | "sha256sum", ..] => {}
            _ => panic!("the model does not know `{step}`"),
        }
    }

    /// The output of `sha256sum`.
    pub(super) fn hashes(&self, step: &Step) -> String {
        let paths = step.words.iter().skip(2).map(Path::new);
        let line = |path: &Path| {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            std::io::Write::write_all(&mut file, self.content(path)).expect("written");
            let root = super::super::root::Root::none();
            let output = root.run(&super::super::files::hash([file.path()])).expect("hashed");
            output.replace(&file.path().display().to_string(), &path.display().to_string())
        };
        paths.map(line).collect()
    }

    fn content(&self, path: &Path) -> &[u8] {
        match self.entries.get(path) {
            Some(Entry::File(file)) => &self.contents[*file],
            other => panic!("`{}` is {other:?}", path.display()),
        }
    }

    fn enter(&mut self, path: &Path, entry: Entry) {
        self.entries.insert(path.to_owned(), entry.clone());
        self.writes.push(Write::Entry(path.to_owned(), entry));
    }

    fn set(&mut self, file: usize, content: &[u8]) {
        self.contents[file] = content.to_vec();
        self.writes.push(Write::Content(file, content.to_vec()));
    }

    fn remove(&mut self, path: &Path) {
        self.entries.remove(path);
        self.writes.push(Write::Removal(path.to_owned()));
    }

    fn remove_all(&mut self, path: &Path) {
        let below: Vec<PathBuf> = self.entries.keys().filter(|entry| entry.starts_with(path)).cloned().collect();
        below.iter().rev().for_each(|entry| self.remove(entry));
    }

    /// `cp` truncates a file that is there, and writes into it.
    fn copy_over(&mut self, from: &Path, to: &Path) {
        let content = self.content(from).to_vec();
        match self.entries.get(to) {
            Some(Entry::File(file)) => {
                let file = *file;
                self.set(file, b"");
                self.set(file, &content);
            }
            _ => self.write(to, &content),
        }
    }

    fn rename(&mut self, from: &Path, to: &Path) {
        let entry = self.entries.remove(from).unwrap_or_else(|| panic!("no `{}`", from.display()));
        self.entries.insert(to.to_owned(), entry.clone());
        self.writes.push(Write::Rename(from.to_owned(), to.to_owned(), entry));
    }

    fn flush(&mut self, path: &Path) {
        self.writes.push(match self.entries.get(path) {
            Some(Entry::File(file)) => Write::FlushFile(*file),
            _ => Write::FlushFolder(path.to_owned()),
        });
    }

    /// Returns the states that a power cut after so many writes can leave.
    pub(super) fn after_power_cut(&self, cut: usize) -> Vec<State> {
        let writes = &self.writes[..cut];
        let lost: Vec<usize> = (0..cut).filter(|at| !is_flush(&writes[*at]) && !is_flushed(writes, *at)).collect();
        let mut losses = vec![BTreeSet::new(), lost.iter().copied().collect()];
        // In order: everything after a write is lost, with or without the contents of files.
        let is_content = |at: &usize| matches!(writes[*at], Write::Content(..));
        for (count, _) in lost.iter().enumerate() {
            losses.push(lost[count..].iter().copied().collect());
            losses.push(
                lost.iter().enumerate().filter(|(n, at)| *n >= count || is_content(at)).map(|(_, at)| *at).collect(),
            );
        }
        // In any order: all subsets, or of many writes each alone and all but each.
        if lost.len() <= ALL_SUBSETS {
            let subset = |bits: usize| (0..lost.len()).filter(move |n| bits >> n & 1 == 1).map(|n| lost[n]).collect();
            losses.extend((0..1_usize << lost.len()).map(subset));
        } else {
            losses.extend(lost.iter().map(|at| BTreeSet::from([*at])));
            losses.extend(lost.iter().map(|at| lost.iter().copied().filter(|other| other != at).collect()));
        }
        let mut states: Vec<State> = losses.iter().map(|lost| state(writes, lost)).collect();
        states.sort();
        states.dedup();
        states
    }
}

fn is_flush(write: &Write) -> bool {
    matches!(write, Write::FlushAll | Write::FlushFile(_) | Write::FlushFolder(_))
}

/// Returns whether a later flush keeps a write.
fn is_flushed(writes: &[Write], at: usize) -> bool {
    let later = &writes[at + 1..];
    let has =
        |wanted: &dyn Fn(&Write) -> bool| later.iter().any(|write| matches!(write, Write::FlushAll) || wanted(write));
    let folder = |path: &Path| {
        let parent = path.parent().unwrap_or(path).to_owned();
        has(&|write| matches!(write, Write::FlushFolder(flushed) if *flushed == parent))
    };
    match &writes[at] {
        Write::Entry(path, _) | Write::Removal(path) => folder(path),
        Write::Rename(from, to, _) => folder(from) && folder(to),
        Write::Content(file, _) => has(&|write| matches!(write, Write::FlushFile(flushed) if flushed == file)),
        Write::FlushAll | Write::FlushFile(_) | Write::FlushFolder(_) => true,
    }
}

/// Returns the files after these writes, without the lost ones.
fn state(writes: &[Write], lost: &BTreeSet<usize>) -> State {
    let mut entries: BTreeMap<PathBuf, Entry> = BTreeMap::new();
    let mut contents: BTreeMap<usize, &[u8]> = BTreeMap::new();
    for (_, write) in writes.iter().enumerate().filter(|(at, _)| !lost.contains(at)) {
        match write {
            Write::Entry(path, entry) => drop(entries.insert(path.clone(), entry.clone())),
            Write::Removal(path) => drop(entries.remove(path)),
            Write::Rename(from, to, entry) => {
                entries.retain(|path, old| path != from || old != entry);
                entries.insert(to.clone(), entry.clone());
            }
            Write::Content(file, content) => drop(contents.insert(*file, content)),
            Write::FlushAll | Write::FlushFile(_) | Write::FlushFolder(_) => {}
        }
    }
    let mut state = State { folders: BTreeSet::new(), links: BTreeMap::new(), files: BTreeMap::new() };
    for (path, entry) in &entries {
        // An entry in a folder that is lost is lost with it.
        if path.ancestors().skip(1).any(|folder| !entries.contains_key(folder)) {
            continue;
        }
        match entry {
            Entry::Folder => drop(state.folders.insert(path.clone())),
            Entry::Link(to) => drop(state.links.insert(path.clone(), to.clone())),
            Entry::File(file) => {
                let content = contents.get(file).map(|content| content.to_vec()).unwrap_or_default();
                state.files.insert(path.clone(), content);
            }
        }
    }
    state
}

impl State {
    /// Creates the files, all of them below a folder of the test.
    pub(super) fn materialize(&self, root: &Path) {
        let paths = self.links.keys().chain(self.files.keys());
        let outside: Vec<_> = paths.filter(|path| !path.starts_with(root)).collect();
        assert!(outside.is_empty(), "a deploy writes to {outside:?}");
        self.folders.iter().for_each(|folder| fs::create_dir_all(folder).expect("a folder"));
        self.links.iter().for_each(|(path, to)| symlink(to, path).expect("a link"));
        self.files.iter().for_each(|(path, content)| fs::write(path, content).expect("written"));
    }
}
