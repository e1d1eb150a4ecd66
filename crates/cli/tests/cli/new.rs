//! `firedrill new`.

use crate::sandbox::Sandbox;

#[test]
fn the_starter_passes_and_warns_of_nothing() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run("new scenarios/limits/my-first_burst");
    assert_eq!(ran.code, 0, "{ran}");
    let path = "scenarios/limits/my-first_burst.yaml";
    assert_eq!(ran.out, format!("wrote {path}\nrun it with: firedrill run {path}\n"));
    assert!(sandbox.read(path).contains("\nscenario: my first burst\n"));

    let ran = sandbox.run("check");
    assert!(ran.out.ends_with("\n1 ok, 0 cannot be used, 0 warnings\n"), "{ran}");
    let ran = sandbox.run("run");
    assert_eq!(ran.code, 0);
    assert!(!ran.out.contains("warning"), "{ran}");
}

#[test]
fn nothing_is_overwritten() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "mine");
    for name in ["a", "a.yaml", "a --dir ."] {
        let ran = sandbox.run(&format!("new {name}"));
        assert_eq!((ran.code, &*ran.out), (2, ""));
        assert!(ran.err.contains("it is not overwritten"), "{ran}");
    }
    assert_eq!(sandbox.read("a.yaml"), "mine");
}

#[test]
fn it_can_be_printed_instead() {
    let sandbox = Sandbox::new();
    let printed = sandbox.run("new -").out;
    assert_eq!(sandbox.run("new --stdout").out, printed);
    assert!(sandbox.run("new a-b --stdout").out.contains("\nscenario: a b\n"));
    assert!(std::fs::read_dir(sandbox.path("")).expect("a folder").next().is_none(), "nothing was written");
    sandbox.write("printed.yaml", printed);
    assert_eq!(sandbox.run("run printed.yaml").code, 0);
}

#[test]
fn an_editor_finds_the_nearest_schema_of_ours() {
    let sandbox = Sandbox::new();
    let first_line = |name: &str| {
        sandbox.run(&format!("new {name}"));
        sandbox.read(&format!("{name}.yaml")).lines().next().map(str::to_owned).expect("a line")
    };
    assert_eq!(first_line("a"), "# yaml-language-server: $schema=schema.json");
    sandbox.write("scenarios/schema.json", firedrill_scenario::schema());
    sandbox.write("scenarios/x/schema.json", "{ \"title\": \"another\" }");
    assert_eq!(first_line("scenarios/a"), "# yaml-language-server: $schema=schema.json");
    assert_eq!(first_line("scenarios/x/y/a"), "# yaml-language-server: $schema=../../schema.json");
    assert_eq!(first_line("other/a"), "# yaml-language-server: $schema=schema.json");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let sandbox = Sandbox::new();
    for name in ["..", "a/", "/"] {
        let ran = sandbox.run(&format!("new {name}"));
        assert_eq!((ran.code, &*ran.out), (2, ""), "{ran}");
    }
    assert_eq!(sandbox.run("new x.yml").code, 0);
    assert!(sandbox.path("x.yml").exists());
}
