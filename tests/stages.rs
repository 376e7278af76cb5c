//! That scripts/test skips the stages that need what has failed, says why in one line, and fails.

use std::process::Command;

fn stages(script: &str) -> (i32, String) {
    let test = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/test");
    let output = Command::new("bash")
        .args(["-c", &format!("source {test}; set +e; {script}")])
        .output()
        .expect("bash runs");
    assert!(output.stderr.is_empty(), "{output:?}");
    (
        output.status.code().expect("bash ends by itself"),
        String::from_utf8(output.stdout).expect("the stages print text"),
    )
}

#[test]
fn what_needs_a_failed_stage_is_skipped_and_the_run_fails() {
    let (code, text) = stages(
        "stage build true; stage services false; needing build stage lints echo checked; \
         needing build services stage tests echo tried; needing tests stage benchmark echo measured; summarise",
    );
    assert_eq!(code, 1, "{text}");
    assert!(
        text.contains("checked") && !text.contains("tried") && !text.contains("measured"),
        "{text}"
    );
    assert!(text.contains("=== tests: skipped, services failed\n"), "{text}");
    assert!(text.contains("=== benchmark: skipped, tests failed\n"), "{text}");
}

#[test]
fn a_run_in_which_all_passes_passes() {
    let (code, text) = stages("stage build true; needing build stage tests echo tried; summarise");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("tried") && !text.contains("skipped"), "{text}");
}
