//! `mtls-identity completions` and `mtls-identity man`.

use crate::desk::Desk;

const COMMANDS: [&str; 10] = [
    "check",
    "explain",
    "inspect",
    "pin",
    "revoke",
    "verify",
    "schema",
    "completions",
    "man",
    "help",
];

#[test]
fn every_shell_has_completions_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = Desk::new().run(&["completions", shell]);
        assert_eq!((ran.code, ran.errors.as_str()), (0, ""), "{shell}");
        for command in COMMANDS {
            assert!(ran.output.contains(command), "{shell} {command}");
        }
    }
    assert_eq!(Desk::new().run(&["completions", "tcl"]).code, 2);
}

#[test]
fn bash_takes_the_completions() {
    let desk = Desk::new();
    let script = desk.write("completions", desk.run(&["completions", "bash"]).output);
    let bash = "source \"$0\"; COMP_WORDS=(mtls-identity expl); COMP_CWORD=1; \
                [[ $(complete -p mtls-identity) =~ -F\\ ([^ ]+) ]]; \
                ${BASH_REMATCH[1]} mtls-identity expl mtls-identity; echo \"${COMPREPLY[@]}\"";
    let output = std::process::Command::new("bash")
        .arg("-c")
        .arg(bash)
        .arg(script)
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        printed.trim(),
        "explain",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_program_and_each_command_have_a_page() {
    let desk = Desk::new();
    let page = desk.run(&["man"]).output;
    assert!(page.contains(".TH mtls-identity 1"), "{page}");
    for command in COMMANDS {
        let words = command.replace('-', "\\-");
        assert!(page.contains(&words), "{command}");
        let page = desk.run(&["man", command]).output;
        assert!(
            page.contains(&format!(".TH mtls-identity-{command} 1")),
            "{command}: {page}"
        );
    }
    let unknown = desk.run(&["man", "doctors"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown
            .errors
            .contains("found \"doctors\", expected a command")
    );
}

#[test]
fn each_command_that_reads_files_has_examples_in_its_help() {
    for command in COMMANDS.iter().filter(|name| **name != "help") {
        let help = Desk::new().run(&[command, "--help"]).output;
        assert!(help.contains("Example"), "{command}: {help}");
    }
}
