//! What the program says of itself. After a change: `UPDATE_EXPECT=1 cargo test -p penname`.

use expect_test::expect_file;

use crate::bench::Bench;

#[test]
fn help_is_as_it_was_agreed() {
    let bench = Bench::new();
    let check = |args: &[&str], name: &str| {
        let said = bench.run(args);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
        let lines: Vec<&str> = said.out.lines().map(str::trim_end).collect();
        expect_file![format!("snapshots/{name}.txt")].assert_eq(&(lines.join("\n") + "\n"));
    };
    check(&[], "alone");
    check(&["--help"], "help");
    check(&["new", "--help"], "new");
    check(&["show", "--help"], "show");
    check(&["settings", "--help"], "settings");
}

#[test]
fn help_fits_a_page() {
    let bench = Bench::new();
    for verb in ["new", "prepare", "show", "settings", "recipes", "doctor"] {
        for flag in ["-h", "--help"] {
            let said = bench.run(&[verb, flag]);
            let widest = said.out.lines().map(|line| line.chars().count()).max();
            assert!(widest <= Some(100), "{verb} {flag}: {widest:?}");
        }
    }
}

#[test]
fn the_version_is_the_package_s() {
    assert_eq!(Bench::new().run(&["--version"]).out, format!("penname {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_is_a_slip_and_gets_a_suggestion() {
    let said = Bench::new().run(&["prepair"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains("prepare"), "{}", said.err);
}
