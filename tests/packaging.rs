//! What comes along with the program: completions, man pages, units, images; and that whatever they and the documents tell
//! people to type is a command line that lakectl takes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

mod common;

use clap::{CommandFactory, Parser};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use walkdir::WalkDir;

use common::program::start;
use lakectl::cli::{Cli, heading};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    let path = repository().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs lakectl where no configuration is, as these commands need none.
fn lakectl(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), arguments, &[]).wait().expect(0).stdout
}

#[test]
fn the_version_names_the_commit_and_librdkafka() {
    let said = lakectl(&["--version"]);
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    assert!(said.contains(&format!("librdkafka {librdkafka})")), "{said}");
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(repository())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let head = git(&["rev-parse", "HEAD"]);
    // A source archive is not a checkout.
    let commit = head.get(..12).unwrap_or("unknown");
    assert!(
        said.contains(&format!("(commit {commit},")),
        "{said}, and HEAD is {head}"
    );
    assert_eq!(lakectl(&["-V"]), said);
}

#[test]
fn bash_completes_commands_and_options() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("lakectl.bash"),
        lakectl(&["completions", "bash"]),
    )
    .unwrap();
    let complete = |words: &str| {
        let script = format!(
            "source ./lakectl.bash; COMP_WORDS=({words}); COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); \
             _lakectl lakectl \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("lakectl ware"), "warehouse\n");
    assert_eq!(complete("lakectl lake --max-m"), "--max-messages\n");
    assert_eq!(complete("lakectl purge --only la"), "lake\n");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        let script = lakectl(&["completions", shell]);
        for command in Cli::command().get_subcommands() {
            assert!(
                script.contains(command.get_name()),
                "{shell}: no {}",
                command.get_name()
            );
        }
    }
    let folder = tempfile::tempdir().unwrap();
    start(folder.path(), &["completions", "tcsh"], &[])
        .wait()
        .fails(2, &["zsh"]);
}

#[test]
fn every_command_has_a_man_page_with_all_its_options() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man");
    let out = pages.to_str().unwrap();
    start(folder.path(), &["man", "--out", out, "--dry-run"], &[])
        .wait()
        .expect(0);
    assert!(!pages.exists());
    start(folder.path(), &["man", "--out", out], &[]).wait().expect(0);

    let mut program = Cli::command();
    program.build();
    let mut commands = vec![("lakectl".to_owned(), program)];
    let mut seen = 0;
    while let Some((name, command)) = commands.pop() {
        let page = std::fs::read_to_string(pages.join(format!("{name}.1")))
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
            let Some(long) = option.get_long() else { continue };
            let roff = format!("\\-\\-{}", long.replace('-', "\\-"));
            assert!(page.contains(&roff), "{name}.1 has no {roff}");
        }
        let sections: Vec<&str> = page.lines().filter(|line| line.starts_with(".S")).collect();
        let options = sections.iter().position(|line| *line == ".SH OPTIONS").unwrap();
        let below = sections[options + 1..]
            .iter()
            .take_while(|line| line.starts_with(".SS "));
        let headings = heading::ALL.map(|heading| format!(".SS \"{heading}\""));
        assert!(
            below
                .clone()
                .all(|line| headings.iter().any(|known| known == line)),
            "{name}.1: {sections:?}"
        );
        assert_eq!(
            below.last(),
            headings.last().map(String::as_str).as_ref(),
            "{name}.1: {sections:?}"
        );
        assert!(
            page.contains("EXIT STATUS") || command.get_after_help().is_none(),
            "{name}.1"
        );
        seen += 1;
        let below = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help");
        commands.extend(below.map(|below| (format!("{name}-{}", below.get_name()), below.clone())));
    }
    assert_eq!(std::fs::read_dir(&pages).unwrap().count(), seen);
    assert_eq!(
        lakectl(&["man", "grant", "set"]),
        std::fs::read_to_string(pages.join("lakectl-grant-set.1")).unwrap()
    );
    start(folder.path(), &["man", "grants"], &[])
        .wait()
        .fails(2, &["no command `grants`"]);
    let report = start(folder.path(), &["man", "lake", "--json"], &[])
        .wait()
        .expect(0);
    let report: serde_json::Value = serde_json::from_str(&report.stdout).unwrap();
    assert!(report["page"].as_str().unwrap().contains("lakectl"), "{report}");
}

/// Shell words of a line, up to the first that leads elsewhere: a pipe, a redirection, a comment, another command.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote, mut any) = (Vec::new(), String::new(), None, false);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => (quote, any) = (Some(c), true),
            (None, '|' | '>' | '<' | ';' | '&' | '#' | '`' | ')') => break,
            (None, c) if c.is_whitespace() => {
                if any || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                any = false;
            }
            (None, c) => word.push(c),
        }
    }
    if any || !word.is_empty() {
        words.push(word);
    }
    words
}

/// The command lines of lakectl in a document: in Markdown those of its code blocks, elsewhere all.
fn command_lines(path: &Path) -> Vec<String> {
    let markdown = path.extension().is_some_and(|end| end == "md");
    let mut in_block = !markdown;
    let mut found = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if markdown && line.trim_start().starts_with("```") {
            in_block = !in_block;
            continue;
        }
        let line = line.trim_start().trim_start_matches("$ ");
        let starts: Vec<usize> = if markdown {
            line.starts_with("lakectl ").then_some(0).into_iter().collect()
        } else {
            line.match_indices("lakectl --quiet").map(|(at, _)| at).collect()
        };
        if in_block {
            found.extend(starts.into_iter().map(|at| line[at..].to_owned()));
        }
    }
    found
}

#[test]
fn what_people_are_told_to_type_is_what_lakectl_takes() {
    let mut documents: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "examples/crontab"]
        .iter()
        .map(|p| repository().join(p))
        .collect();
    for folder in ["docs", "examples/systemd"] {
        documents.extend(
            std::fs::read_dir(repository().join(folder))
                .unwrap()
                .map(|entry| entry.unwrap().path()),
        );
    }
    let mut checked = 0;
    for document in documents {
        for line in command_lines(&document) {
            let words = words(&line.replace("%i", "lake"));
            if words
                .iter()
                .any(|word| word.contains('…') || word.starts_with('['))
            {
                continue;
            }
            match Cli::try_parse_from(&words) {
                Err(error) if error.use_stderr() => panic!("{}: `{line}`\n{error}", document.display()),
                _ => checked += 1,
            }
        }
    }
    assert!(
        checked > 20,
        "only {checked} command lines found: does this test still read the documents?"
    );
}

/// The targets that a line gives to `cargo run` or `cargo build`, as pairs of option and name.
fn cargo_targets(line: &str) -> Vec<(String, String)> {
    let starts = line
        .match_indices("cargo run ")
        .chain(line.match_indices("cargo build "));
    let mut found = Vec::new();
    for (at, _) in starts {
        let words = words(&line[at..]);
        for pair in words.split(|word| word == "--").next().unwrap_or(&[]).windows(2) {
            if ["--example", "--bin"].contains(&&*pair[0]) {
                let name = pair[1].trim_end_matches([',', '.', ':']);
                found.push((pair[0].clone(), name.to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_target_that_people_are_told_to_build_exists() {
    let mut known = BTreeSet::new();
    for manifest in ["Cargo.toml", "examples/programs/Cargo.toml"] {
        let manifest: toml::Table = toml::from_str(&text(manifest)).unwrap();
        for kind in ["bin", "example"] {
            let targets = manifest.get(kind).and_then(toml::Value::as_array);
            for target in targets.into_iter().flatten() {
                known.insert((format!("--{kind}"), target["name"].as_str().unwrap().to_owned()));
            }
        }
    }
    let mut checked = BTreeSet::new();
    for place in [
        "README.md",
        "ARCHITECTURE.md",
        "Dockerfile",
        "docs",
        "examples",
        "scripts",
    ] {
        for entry in WalkDir::new(repository().join(place)) {
            let entry = entry.unwrap();
            if !entry.file_type().is_file() {
                continue;
            }
            for line in std::fs::read_to_string(entry.path()).unwrap().lines() {
                for target in cargo_targets(line) {
                    assert!(known.contains(&target), "{}: `{line}`", entry.path().display());
                    checked.insert(target);
                }
            }
        }
    }
    let unread = known.difference(&checked).collect::<Vec<_>>();
    assert!(
        unread.is_empty(),
        "no document or script builds {unread:?}: does this test still read them?"
    );
}

#[test]
fn the_units_start_what_is_installed() {
    let service = text("examples/systemd/lakectl@.service");
    for line in [
        "Type=oneshot",
        "User=lakectl",
        "SuccessExitStatus=11 130 143",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ] {
        assert!(service.lines().any(|found| found == line), "{line}");
    }
    for timer in [
        "lakectl@lake.timer",
        "lakectl@warehouse.timer",
        "lakectl-purge.timer",
        "lakectl-compact.timer",
    ] {
        assert!(
            text(&format!("examples/systemd/{timer}")).contains("OnCalendar="),
            "{timer}"
        );
    }
    let crontab = text("examples/crontab");
    assert!(!crontab.contains("flock"), "lakectl locks by itself");
}

#[test]
fn the_debian_package_finds_what_it_takes() {
    let cargo: toml::Table = toml::from_str(&text("Cargo.toml")).unwrap();
    let deb = &cargo["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    let made = text("scripts/package");
    for asset in assets {
        let source = asset[0].as_str().unwrap();
        if source.starts_with("target/") {
            let name = source.rsplit_once('/').unwrap().1;
            assert!(
                name == "*.1" || name == "lakectl" || made.contains(name),
                "scripts/package doesn't make {source}"
            );
            continue;
        }
        let (folder, name) = source.rsplit_once('/').unwrap_or((".", source));
        let fits = |entry: &std::fs::DirEntry| match name.strip_prefix('*') {
            Some(end) => entry.file_name().to_string_lossy().ends_with(end),
            None => entry.file_name() == *name,
        };
        let mut entries = std::fs::read_dir(repository().join(folder))
            .unwrap()
            .map(Result::unwrap);
        assert!(entries.any(|entry| fits(&entry)), "{source}");
    }
    let scripts = repository().join(deb["maintainer-scripts"].as_str().unwrap());
    assert!(scripts.join("postinst").exists());
    let configuration = text("packaging/lakectl.toml");
    assert!(toml::from_str::<toml::Table>(&configuration).is_ok());
}

#[test]
fn the_image_runs_as_nobody_in_particular() {
    let image = text("Dockerfile");
    assert!(image.matches("\nFROM ").count() + usize::from(image.starts_with("FROM ")) == 2);
    assert!(image.contains("\nUSER 10001:10001\n"));
    let after_user = image.split_once("\nUSER ").unwrap().1;
    assert!(after_user.contains("ENTRYPOINT [\"/usr/bin/lakectl\"]") && !after_user.contains("\nUSER root"));
}

/// A package archive for `file:` addresses, without signatures, of packages by name, version and what they depend on.
fn archive(folder: &Path, suite: &str, packages: &[(&str, &str, &str)]) {
    let script = r#"
        cd "$1"
        made=$1/made
        architecture=$(dpkg --print-architecture)
        index=dists/$2/main/binary-$architecture/Packages
        mkdir -p "$made/DEBIAN" "$made/usr/share/$3" "$(dirname "$index")" "$(dirname "${index/main/universe}")"
        touch "${index/main/universe}" # which Ubuntu asks for
        echo "$4" >"$made/usr/share/$3/version"
        printf '%s\n' "Package: $3" "Version: $4" "Architecture: $architecture" "Maintainer: tests <t@example.org>" \
            "Description: of a test" ${5:+"Depends: $5"} >"$made/DEBIAN/control"
        chmod 755 "$made/DEBIAN"
        dpkg-deb --build --root-owner-group "$made" "$3_$4.deb"
        { cat "$made/DEBIAN/control"
          echo "Filename: ./$3_$4.deb"
          echo "Size: $(stat -c %s "$3_$4.deb")"
          echo "SHA256: $(sha256sum "$3_$4.deb" | cut -d ' ' -f 1)"
          echo; } >>"$index"
        rm -r "$made""#;
    std::fs::create_dir_all(folder).unwrap();
    for (name, version, depends) in packages {
        let folder = folder.to_str().unwrap();
        bash(script, &[folder, suite, name, version, depends], &[]);
    }
}

fn bash(script: &str, arguments: &[&str], variables: &[(&str, &Path)]) {
    let output = Command::new("bash")
        .args(["-euc", script, "bash"])
        .args(arguments)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A security fix has brought the machine a newer library than any archive here has, and its own apt holds to another
/// release: the services' download neither sees the one nor minds the other, and takes the security archive's version.
#[test]
fn services_are_downloaded_whatever_the_machine_has_installed() {
    // Elsewhere there is no such download: scripts/services asks for a server on PATH.
    if Command::new("apt-get").arg("--version").output().is_err() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let release = text("/etc/os-release");
    let suite = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .unwrap();
    let security = format!("{suite}-security");
    let server = ("mariadb-server-core", "10.11.3", "libmariadb3");
    let client = ("mariadb-client-core", "10.11.3", "");
    archive(
        &at("debian"),
        suite,
        &[server, client, ("libmariadb3", "10.11.3", "")],
    );
    archive(
        &at("debian-security"),
        &security,
        &[("libmariadb3", "10.11.19", "")],
    );

    let here = folder.path().display();
    let sources =
        format!("deb file:{here}/debian {suite} main\ndeb file:{here}/debian-security {security} main\n");
    std::fs::write(at("sources.list"), sources).unwrap();
    let installed = "Package: libmariadb3\nStatus: install ok installed\nVersion: 99.1\nArchitecture: all\n\
                     Maintainer: tests <t@example.org>\nDescription: of a test\n";
    std::fs::write(at("status"), installed).unwrap();
    let machine = format!(
        "Dir::State::status \"{here}/status\"; APT::Default-Release \"nowhere\";\n\
         Dir::Etc::SourceList \"{here}/sources.list\"; Dir::Etc::SourceParts \"/dev/null\"; Dir::Etc::Parts \"/dev/null\";\n\
         Acquire::AllowInsecureRepositories \"true\"; APT::Get::AllowUnauthenticated \"true\";\n"
    );
    std::fs::write(at("apt.conf"), machine).unwrap();

    let script = r#"source "$1/scripts/services"; mkdir "$XDG_CACHE_HOME" "$2"; download_mariadb "$2""#;
    let root = at("root");
    let arguments = [repository().to_str().unwrap(), root.to_str().unwrap()];
    let cache = at("cache");
    bash(
        script,
        &arguments,
        &[("APT_CONFIG", &at("apt.conf")), ("XDG_CACHE_HOME", &cache)],
    );
    let version = |package: &str| {
        std::fs::read_to_string(root.join("usr/share").join(package).join("version")).unwrap()
    };
    assert_eq!(version("mariadb-server-core"), "10.11.3\n");
    assert_eq!(version("mariadb-client-core"), "10.11.3\n");
    assert_eq!(version("libmariadb3"), "10.11.19\n");
}
