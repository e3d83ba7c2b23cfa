//! What every page begins with.

use serde::Serialize;

use super::policy::POLICY;

/// Title and addresses of a page.
#[derive(Serialize)]
pub(super) struct Frame {
    title: String,
    policy: &'static str,
    /// The way from the page's folder to that of the site.
    root: &'static str,
}

impl Frame {
    /// Of a page in the site's own folder.
    pub(super) fn top(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            policy: POLICY,
            root: ".",
        }
    }

    /// Of a page in a folder of the site.
    pub(super) fn within(title: &str) -> Self {
        Self {
            root: "..",
            ..Self::top(title)
        }
    }
}
