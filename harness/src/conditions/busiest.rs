//! Who uses the processor.

use std::time::Duration;

use super::system;

/// A process that uses the processor.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Its program, in one clean line.
    pub name: String,
    /// Its id.
    pub pid: u32,
    /// Time it used of one core's; above 1 with several threads.
    pub share: f64,
}

/// How many are worth naming.
const MOST: usize = 5;

/// Who is below this share of a core is not in anybody's way.
const LEAST: f64 = 0.02;

/// The busiest processes over `span`, which it waits for; the busiest first, this process left out.
///
/// macOS: what `ps` tells, which is an average over the last minute.
#[must_use]
pub fn busiest(span: Duration) -> Vec<User> {
    top(system::users(span))
}

fn top(mut users: Vec<User>) -> Vec<User> {
    users.retain(|user| user.share >= LEAST && user.pid != std::process::id());
    users.sort_by(|a, b| b.share.total_cmp(&a.share));
    users.truncate(MOST);
    users
}

/// Lines of `ps -Axo pid=,pcpu=,comm=`; the program is a path, which may hold blanks.
#[cfg(any(target_os = "macos", test))]
pub(super) fn parse_ps(text: &str) -> Vec<User> {
    let user = |line: &str| {
        let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
        let (percent, path) = rest.trim_start().split_once(char::is_whitespace)?;
        Some(User {
            name: crate::machine::tidy(path.rsplit('/').next()?),
            pid: pid.parse().ok()?,
            // In some languages with a comma.
            share: percent.replace(',', ".").parse::<f64>().ok()? / 100.0,
        })
    };
    text.lines().filter_map(user).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ps_is_read_line_by_line() {
        let text = "    1   0.1 /sbin/launchd\n  412 153,0 /Applications/Some App.app/Contents/MacOS/Some App\n\
                    garbage\n  9 x /bin/y\n 77 12.5 kernel_task\n";
        let users = top(parse_ps(text));
        let told: Vec<_> = users
            .iter()
            .map(|u| (u.pid, u.name.as_str(), u.share))
            .collect();
        assert_eq!(told, [(412, "Some App", 1.53), (77, "kernel_task", 0.125)]);
    }

    #[test]
    fn the_busiest_come_first_without_ourselves() {
        let user = |pid, share| User {
            name: "x".to_owned(),
            pid,
            share,
        };
        let own = user(std::process::id(), 9.0);
        let idle = user(8, 0.01);
        let many = (10..20).map(|pid| user(pid, f64::from(pid)));
        let pids: Vec<_> = top(many.chain([own, idle]).collect())
            .iter()
            .map(|user| user.pid)
            .collect();
        assert_eq!(pids, [19, 18, 17, 16, 15]);
    }
}
