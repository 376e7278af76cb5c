//! Settings from whole files, and from files with mistakes.

use super::*;
use proptest::prelude::*;

pub(super) fn load_text(text: &str, env: &[(&str, &str)], overrides: &Overrides) -> Result<Settings> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lakectl.toml");
    std::fs::write(&path, text).unwrap();
    let env: BTreeMap<_, _> = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    load(Some(&path), overrides, &|name| env.get(name).cloned())
}

fn fails(text: &str) -> String {
    let error = load_text(text, &[], &Overrides::default()).unwrap_err();
    assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE, "{error:#}");
    format!("{error:#}")
}

#[test]
fn flags_win_over_environment_over_file() {
    let text = "[kafka]\nbrokers = \"file:1\"\ngroup = \"g\"\n";
    let brokers = |env: &[(&str, &str)], flag: Option<&str>| {
        let overrides = Overrides {
            brokers: flag.map(str::to_owned),
            ..Overrides::default()
        };
        load_text(text, env, &overrides).unwrap().kafka.brokers
    };
    assert_eq!(brokers(&[], None), "file:1");
    assert_eq!(brokers(&[("LAKECTL_BROKERS", "env:1")], None), "env:1");
    assert_eq!(brokers(&[("LAKECTL_BROKERS", "env:1")], Some("flag:1")), "flag:1");
}

#[test]
fn the_root_is_relative_to_the_file() {
    let settings = load_text("[lake]\nroot = \"lake\"\n", &[], &Overrides::default()).unwrap();
    assert!(settings.lake.root.is_absolute() && settings.lake.root.ends_with("lake"));
    let env = [("LAKECTL_LAKE_ROOT", "elsewhere")];
    assert_eq!(
        load_text("", &env, &Overrides::default()).unwrap().lake.root,
        Path::new("elsewhere")
    );
}

#[test]
fn what_is_wrong_is_named() {
    assert!(fails("[lake]\ntimezone = \"Europe/Pari\"\n").contains("Europe/Paris"));
    assert!(fails("[lake]\ntimezone = \"paris\"\n").contains("did you mean `Europe/Paris`"));
    assert!(fails("[lake]\nfile_mode = \"0440\"\n").contains("lake.file_mode"));
    assert!(fails("[lake]\nretention = \"3m\"\n").contains("3mo"));
    assert!(fails("[lake]\nmetadata_prefix = \"a b\"\n").contains("metadata_prefix"));
    assert!(fails("[topics.\"a/b\"]\nkind = \"stream\"\n").contains("a/b"));
}

#[test]
fn what_to_do_stands_apart_from_what_is_wrong() {
    for (text, fix) in [
        ("[kafka]\ngrup = \"g\"\n", "did you mean `group`?"),
        (
            "[lake]\ntimezone = \"Europe/Pari\"\n",
            "did you mean `Europe/Paris`?",
        ),
        ("[lake]\nretention = \"3m\"\n", "write `3mo` for months"),
        ("[lake]\nretention = \"0d\"\n", "`none` to keep for ever"),
        ("[lake]\nmax_file_size = \"1XB\"\n", "write it like 64KiB"),
        ("[kafka]\ntimeout = \"1mo\"\n", "write it like 90s"),
        (
            "[kafka.options]\n\"sasl.password\" = { fil = \"x\" }\n",
            "write { file =",
        ),
        ("[warehouse]\nurl = \"mysql://u@localhost\"\n", "/DATABASE"),
        (
            "[topics.T]\nkind = \"stream\"\nlake.history = true\n",
            "leave it out",
        ),
        (
            "[topics.T]\nkind = \"table\"\nwindow = { type = \"hopping\" }\n",
            "write size = ",
        ),
    ] {
        let error = load_text(text, &[], &Overrides::default()).unwrap_err();
        let told = Problem::of(&error);
        assert!(told.is_usage && told.what.contains("lakectl.toml"), "{told:?}");
        assert!(
            told.fix.as_deref().is_some_and(|told| told.contains(fix)),
            "{told:?}"
        );
        assert!(!told.what.contains(fix), "{told:?}");
    }
}

#[test]
fn a_named_file_must_exist() {
    let error = load(
        Some(Path::new("/nonexistent/l.toml")),
        &Overrides::default(),
        &|_| None,
    )
    .unwrap_err();
    assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE);
}

const WHOLE: &str = r#"[kafka]
brokers = "b:1"
group = "g"
timeout = "30s"
[kafka.options]
"client.id" = "mine"
[lake]
root = "lake"
timezone = "Europe/Paris"
files = "batch"
max_file_size = "1MiB"
metadata = true
metadata_prefix = "_"
compression = "gzip"
retention = "3y"
file_mode = "0640"
dir_mode = "0750"
[warehouse]
url = "mysql://u@localhost/d"
tls = "off"
strict = false
[topics.S]
kind = "stream"
lake.retention = "6mo"
timestamp_unit = "us"
lake.partition_time = "field:at"
lake.timestamp_unit = "s"
[topics.T]
kind = "table"
key.format = "string"
key.columns = ["id"]
window.type = "hopping"
window.size = "5m"
lake.history = true
warehouse.table = "t"
warehouse.enabled = true
warehouse.timestamp_unit = "s"
warehouse.retention.column = "at"
warehouse.retention.keep = "7d"
"#;

/// Keys whose names the user chooses.
const FREE: [&str; 2] = ["\"client.id\"", "["];

proptest! {
    /// A key with one letter more is unknown, and named with its line and what was meant.
    #[test]
    fn a_mistyped_key_is_named_with_its_line(line in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), letter in "[a-z]") {
        let mut lines: Vec<String> = WHOLE.lines().map(str::to_owned).collect();
        let keys: Vec<usize> = (0..lines.len()).filter(|&n| !FREE.iter().any(|free| lines[n].starts_with(free))).collect();
        let number = *line.get(&keys);
        let line = lines[number].clone();
        let (path, value) = line.split_once(" = ").unwrap();
        let (table, key) = path.rsplit_once('.').map_or(("", path), |(table, key)| (&path[..table.len() + 1], key));
        let at = at.index(key.len() + 1);
        let mistyped = format!("{}{letter}{}", &key[..at], &key[at..]);
        lines[number] = format!("{table}{mistyped} = {value}");
        let error = fails(&lines.join("\n"));
        prop_assert!(error.contains(&format!("lakectl.toml:{}:", number + 1)), "{}", error);
        prop_assert!(error.contains(&format!("unknown key `{mistyped}`")) && error.contains(key), "{}", error);
    }

    /// However a file is edited: settings, or an error with exit code 2 that names the file.
    #[test]
    fn any_edit_is_settings_or_an_error(edits in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..5, "\\PC|[\"\\[\\]{}=.\n\u{0}#']"), 1..4)) {
        let mut text = WHOLE.to_owned();
        for (at, what, new) in edits {
            let at = at.index(text.len());
            let Some(at) = (at..text.len()).find(|&at| text.is_char_boundary(at)) else { continue };
            match what {
                0 => text.insert_str(at, &new),
                1 => drop(text.remove(at)),
                2 => text.truncate(at.max(1)),
                3 => text = text.replacen(" = ", &format!(" = {new}"), at % 7),
                _ => text.extend(WHOLE[at.min(WHOLE.len() - 1)..].lines().take(2).flat_map(|line| [line, "\n"])),
            }
        }
        if let Err(error) = load_text(&text, &[], &Overrides::default()) {
            prop_assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE, "{:#}", error);
            prop_assert!(format!("{error:#}").contains("lakectl.toml"), "{:#}\n{}", error, text);
        }
    }
}
