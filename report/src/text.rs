//! Foreign text made safe to print: model answers, names, branches, paths and failure messages.

pub(crate) use store::markdown::{comment, escape as markdown};
pub(crate) use store::summary::one_line;

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
}
