//! A release is called what it holds.

use super::Desk;

const RELEASE: &str = "tools/release.sh";

#[test]
fn a_tag_that_is_not_the_version_is_refused() {
    let desk = Desk::new();
    let version = env!("CARGO_PKG_VERSION");
    desk.run(RELEASE, &["tag", &format!("v{version}")], 0);
    for tag in ["v0.0.0", version, ""] {
        let said = desk.run(RELEASE, &["tag", tag], 1);
        assert!(said.contains(version), "{said}");
    }
}
