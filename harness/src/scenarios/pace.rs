//! How fast tokens came, where that can be told. Pure.

use std::time::Duration;

use crate::subject::Reply;

/// Share by which a rate may be off where a few tokens of a server's came together: below the smallest
/// change that counts.
const OFF: f64 = 0.03;

/// Why a server's tokens have no times.
const NOT_COUNTED: &str = "the server does not count its tokens, and pieces of text are none";
const TOGETHER: &str = "several tokens came in one piece";

/// When each token was there.
///
/// # Errors
/// Why that is not known.
pub(super) fn token_times(reply: &Reply) -> Result<&[Duration], &'static str> {
    let tokens = &reply.stages.tokens;
    match timed_tokens(reply)? {
        count if count == tokens.len() => Ok(tokens),
        _ => Err(TOGETHER),
    }
}

/// Tokens a second after the first.
///
/// Where tokens came together, the first piece holds one or more: so many that all others may be one
/// each. The rate is given while that leaves it within 3 %.
///
/// # Errors
/// Why it is not known.
pub(super) fn decode_rate(reply: &Reply) -> Result<f64, &'static str> {
    let (count, tokens) = (timed_tokens(reply)?, &reply.stages.tokens);
    let later = count.saturating_sub(1) as f64;
    let together = count.saturating_sub(tokens.len()) as f64;
    if count < tokens.len() || together > OFF * later {
        return Err(TOGETHER);
    }
    let span = tokens.last().zip(tokens.first());
    let span = span.map_or(f64::NAN, |(last, first)| (*last - *first).as_secs_f64());
    Ok(later / span)
}

/// Tokens that show: a stop id has no text and therefore no time at a server's client.
fn timed_tokens(reply: &Reply) -> Result<usize, &'static str> {
    let Some(counts) = reply.counts else {
        return Ok(reply.stages.tokens.len());
    };
    let count = counts.generated.ok_or(NOT_COUNTED)?;
    let silent = counts.ended && count > reply.stages.tokens.len();
    Ok(count - usize::from(silent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject::{Counts, Stages};

    /// A reply of so many pieces, 10 ms apart.
    fn reply(pieces: u64, counts: Option<(Option<usize>, bool)>) -> Reply {
        Reply {
            counts: counts.map(|(generated, ended)| Counts {
                generated,
                ended,
                ..Counts::default()
            }),
            stages: Stages {
                tokens: (1..=pieces)
                    .map(|n| Duration::from_millis(10 * n))
                    .collect(),
                ..Stages::default()
            },
            ..Reply::default()
        }
    }

    #[test]
    fn pieces_are_tokens_only_where_the_server_counts_as_many() {
        let check = |pieces, counts, rate: Result<f64, &str>, timed: bool| {
            let reply = reply(pieces, counts);
            match (decode_rate(&reply), rate) {
                (Ok(found), Ok(rate)) => assert!((found - rate).abs() < 1e-9, "{found} {rate}"),
                (found, rate) => assert_eq!(found, rate, "{pieces} {counts:?}"),
            }
            assert_eq!(token_times(&reply).is_ok(), timed, "{pieces} {counts:?}");
        };
        check(64, None, Ok(100.0), true);
        check(64, Some((Some(64), false)), Ok(100.0), true);
        check(63, Some((Some(64), true)), Ok(100.0), true); // the stop id
        check(64, Some((None, false)), Err(NOT_COUNTED), false);
        check(8, Some((Some(64), false)), Err(TOGETHER), false);
        check(63, Some((Some(64), false)), Ok(63.0 / 0.62), false);
        check(61, Some((Some(64), false)), Err(TOGETHER), false);
        check(65, Some((Some(64), false)), Err(TOGETHER), false);
        assert!(decode_rate(&reply(1, None)).unwrap().is_nan());
    }
}
