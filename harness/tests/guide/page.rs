//! The fenced blocks of a Markdown page, and what is to become of them.

/// What the words behind the three backticks ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `sh`: run, in order, and its exit codes are those that its comments say.
    Run,
    /// `sh slow`: takes minutes, so that another test runs it.
    Slow,
    /// `sh mac`, `sh network`, `sh later`, …: cannot run in this test, must be understood by our programs.
    Elsewhere,
    /// `text`: what the last block before it that was run prints.
    Output,
    /// Anything else, such as `text from another day`.
    Other,
}

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// Where it begins, from 1.
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// All blocks of a page, in order.
pub(crate) fn blocks(markdown: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let inside = lines
            .by_ref()
            .map(|(_, line)| line.get(indent..).unwrap_or(""))
            .take_while(|line| *line != "```");
        found.push(Block {
            line: number + 1,
            text: inside.map(|line| format!("{line}\n")).collect(),
            kind: kind(info),
        });
    }
    found
}

fn kind(info: &str) -> Kind {
    match info.split_once(' ').unwrap_or((info, "")) {
        ("sh", "") => Kind::Run,
        ("sh", "slow") => Kind::Slow,
        ("sh", _) => Kind::Elsewhere,
        ("text", "") => Kind::Output,
        _ => Kind::Other,
    }
}

/// Code within lines that begins with the name of one of our programs and a word.
pub(crate) fn inline_commands(markdown: &str) -> Vec<String> {
    let mut fenced = false;
    let prose = markdown.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    let prose = prose.collect::<Vec<_>>().join(" ");
    let spans = prose.split('`').skip(1).step_by(2);
    let ours = |span: &&str| {
        ["harness ", "store ", "report "]
            .iter()
            .any(|program| span.starts_with(program))
    };
    spans.filter(ours).map(str::to_owned).collect()
}

/// Where the links of a page lead, without those to other sites.
pub(crate) fn links(markdown: &str) -> Vec<&str> {
    let targets = markdown.split("](").skip(1);
    let targets = targets.filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fences_are_told_apart() {
        let page = "`store list` and\n```sh\na\n```\n\n```text\nb\n```\nprose\n```text elsewhere\nc\n```\n  ```sh mac\n  d\n  ```\n";
        let found = blocks(page);
        let kinds: Vec<_> = found.iter().map(|block| block.kind).collect();
        use Kind::{Elsewhere, Other, Output, Run};
        assert_eq!(kinds, [Run, Output, Other, Elsewhere]);
        assert_eq!((found[1].line, found[1].text.as_str()), (6, "b\n"));
        assert_eq!(found[3].text, "d\n");
        assert_eq!(inline_commands(page), ["store list"]);
    }
}
