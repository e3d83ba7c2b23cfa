//! Foreign text made safe to print: model answers, names, branches, paths and failure messages.

pub(crate) use store::markdown::{comment, escape as markdown};
pub(crate) use store::summary::one_line;

/// One argument as a POSIX shell reads it back, to place in a command line that is shown.
pub(crate) fn shell(argument: &str) -> String {
    let line = one_line(argument);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@:+".contains(c);
    if !line.is_empty() && line.chars().all(plain) {
        return line;
    }
    format!("'{}'", line.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_reaches_a_terminal() {
        assert_eq!(
            one_line("a\u{1b}[31mb\u{202e}c\r\nd"),
            "a\u{fffd}[31mb\u{fffd}c  d"
        );
    }

    #[test]
    fn a_shown_command_can_be_pasted() {
        let check = |text, expected: &str| assert_eq!(shell(text), expected);
        check("tiny-smolvlm", "tiny-smolvlm");
        check("a b'c; rm -rf", r"'a b'\''c; rm -rf'");
        check("", "''");
    }
}
