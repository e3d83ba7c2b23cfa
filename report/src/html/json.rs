//! JSON that stands in a page.

use serde::Serialize;

/// The text of a `<script type="application/json">`.
///
/// Within strings, where alone they occur, `<`, `>` and `&` are written as escapes: no text ends the element or
/// begins a comment in it.
pub(super) fn block(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_element_and_all_come_back() {
        let hostile = ["</script><!--<script>", "]]>&amp;\u{2028}\"\\", "plain"];
        let block = block(&hostile);
        assert!(!block.contains(['<', '>', '&', '\u{2028}']), "{block}");
        let back: Vec<String> = serde_json::from_str(&block).unwrap();
        assert_eq!(back, hostile);
    }
}
