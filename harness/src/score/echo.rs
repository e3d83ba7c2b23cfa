//! Answers that only say the prompt again.

/// Shorter answers are no echo: "red" is in "is it red or blue?" and may be right.
const SHORTEST: usize = 24;

/// Longest texts that are compared, in characters: the comparison is quadratic, model output hostile.
const LONGEST: usize = 4000;

/// Whether half of `answer` or more is one piece of `prompt`.
#[must_use]
pub fn is_echo(prompt: &str, answer: &str) -> bool {
    let answer: Vec<_> = answer.trim().chars().take(LONGEST).collect();
    if answer.len() < SHORTEST {
        return false;
    }
    let prompt: Vec<_> = prompt.chars().take(LONGEST).collect();
    2 * longest_common_substring(&prompt, &answer) >= answer.len()
}

/// Length of the longest run of characters that both hold.
fn longest_common_substring(a: &[char], b: &[char]) -> usize {
    let mut best = 0;
    let mut above = vec![0; b.len() + 1];
    for left in a {
        let mut row = vec![0; b.len() + 1];
        for (at, right) in b.iter().enumerate() {
            if left == right {
                row[at + 1] = above[at] + 1;
                best = best.max(row[at + 1]);
            }
        }
        above = row;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::is_echo;

    #[test]
    fn an_answer_that_repeats_the_prompt() {
        let prompt = "User: Describe what you see in this image in detail. Assistant:";
        assert!(is_echo(prompt, "Describe what you see in this image in detail."));
        assert!(is_echo(prompt, "what you see in this image, a dog"));
        assert!(!is_echo(prompt, "In this image a brown dog sits on a lawn."));
        assert!(!is_echo("Is it red or blue?", "red or blue"));
        assert!(!is_echo(prompt, ""));
    }
}
