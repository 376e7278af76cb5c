//! The loading script of docs/READING.md, as it stands there, run by bash against a lake to which things happen.

use std::path::Path;
use std::process::{Command, Output};

use crate::common::kafka::{Topic, record};
use crate::common::lake::Lake;

/// A database: a folder with the files that were loaded, under their names. A file that is there twice, or unloaded
/// without having been there, ends the script, and so does one that `broken` names.
const DATABASE: &str = r#"
load() {
    if [ -e broken ]; then echo "the database is full" >&2; return 1; fi
    [ ! -e "loaded/${1##*/}" ]
    cp "$1" loaded/
    echo "+" >>did
    cat >/dev/null # A program that reads its stdin.
}
unload() {
    rm "loaded/${1##*/}"
    echo "-" >>did
}
"#;

/// The one snippet of the document in bash.
fn recipe(topic: &Topic) -> String {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/READING.md")).unwrap();
    let [_, after] = document.split("\n```bash\n").collect::<Vec<_>>()[..] else {
        panic!("docs/READING.md has one snippet in bash")
    };
    let (script, _) = after.split_once("\n```\n").unwrap();
    assert!(script.contains("topic=TRANSACTIONS_FLAT\n"));
    script.replace("TRANSACTIONS_FLAT", &topic.name)
}

struct Loading<'l> {
    lake: &'l Lake,
    script: String,
    position: String,
}

impl Loading<'_> {
    fn start(&self) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_lakectl")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAKECTL_")) {
            bash.env_remove(name);
        }
        let _ = std::fs::remove_file(self.lake.folder().join("did"));
        bash.env("PATH", path)
            .current_dir(self.lake.folder())
            .args(["-c", &format!("{DATABASE}\n{}", self.script)])
            .output()
            .unwrap()
    }

    /// What it did to the database: a mark for each file. After it the database holds what the lake does.
    fn works(&self) -> String {
        let output = self.start();
        assert!(output.status.success(), "{output:?}");
        let listing = self.lake.listing().into_iter();
        let mut lake: Vec<_> = listing
            .filter(|(path, entry)| path.starts_with("streams") && entry.is_file())
            .map(|(path, _)| path)
            .collect();
        lake.sort_unstable_by_key(|path| path.file_name().unwrap().to_owned());
        let content = |path: &Path| std::fs::read(path).unwrap();
        let loaded = self.lake.folder().join("loaded");
        assert_eq!(std::fs::read_dir(&loaded).unwrap().count(), lake.len());
        for path in lake {
            let copy = loaded.join(path.file_name().unwrap());
            assert_eq!(
                content(&copy),
                content(&self.lake.root().join(&path)),
                "{}",
                path.display()
            );
        }
        self.did()
    }

    /// It ends with an error that says this, and stays where it was.
    fn fails(&self, error: &str) {
        let before = self.position();
        let output = self.start();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && stderr.contains(error), "{output:?}");
        assert_eq!(self.position(), before);
        assert_eq!(self.did(), "");
    }

    fn did(&self) -> String {
        let did = std::fs::read_to_string(self.lake.folder().join("did"));
        did.unwrap_or_default().replace('\n', "")
    }

    fn position(&self) -> Option<String> {
        std::fs::read_to_string(self.lake.folder().join(&self.position)).ok()
    }
}

#[test]
fn the_documented_script_loads_what_is_new_through_failures() {
    let topic = Topic::new("recipe");
    let lake = Lake::of_stream(&topic);
    std::fs::create_dir(lake.folder().join("loaded")).unwrap();
    let loading = Loading {
        lake: &lake,
        script: recipe(&topic),
        position: format!("{}.commit", topic.name),
    };
    let away = lake.folder().join("away");
    let without_the_lake = || {
        std::fs::rename(lake.root(), &away).unwrap();
        loading.fails("there is no lake at");
        std::fs::rename(&away, lake.root()).unwrap();
    };
    // A topic in which nothing was found yet.
    lake.drain();
    without_the_lake();
    assert_eq!(loading.position(), None);
    assert_eq!(loading.works(), "");
    assert_eq!(loading.position().unwrap(), "c0\n");
    without_the_lake();
    topic.send(&[record("a", "{}"), record("b", "{}").on("2025-11-01T10:00:00Z")]);
    lake.drain();
    assert_eq!(loading.works(), "++");
    assert_eq!(loading.position().unwrap(), "c1\n");
    // Nothing new, and again after the lake was away.
    assert_eq!(loading.works(), "");
    without_the_lake();
    assert_eq!(loading.works(), "");
    topic.send(&[record("c", "{}")]);
    lake.drain();
    // The database takes nothing.
    std::fs::write(lake.folder().join("broken"), "").unwrap();
    loading.fails("the database is full");
    std::fs::remove_file(lake.folder().join("broken")).unwrap();
    assert_eq!(loading.works(), "+");
    // One file replaced, one removed.
    lake.run(&["--rebuild", "2025-10-30..2025-10-30"]).expect(0);
    let mut did = loading.works().into_bytes();
    did.sort_unstable();
    assert_eq!(String::from_utf8(did).unwrap(), "+--");
    // A follower who starts only now, and one who lost his position.
    std::fs::remove_dir_all(lake.folder().join("loaded")).unwrap();
    std::fs::create_dir(lake.folder().join("loaded")).unwrap();
    std::fs::remove_file(lake.folder().join(&loading.position)).unwrap();
    assert_eq!(loading.works(), "++");
}
