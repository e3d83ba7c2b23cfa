//! What every page shares, written once beside them.

use std::path::Path;

use plotly::Plot;

use super::files::write_file;
use crate::error::Result;
use crate::template::Templates;

/// Folder of the shared files.
const FOLDER: &str = "assets";

/// Writes plotly.js, the style sheet and the scripts.
///
/// # Errors
/// [`Error::Write`](crate::Error::Write).
pub(super) fn write(folder: &Path, templates: &Templates) -> Result<()> {
    let folder = folder.join(FOLDER);
    write_file(
        &folder.join("plotly.js"),
        &library(&Plot::offline_js_sources()),
    )?;
    for name in ["site.css", "site.js", "compare.js"] {
        write_file(&folder.join(name), templates.text(name)?)?;
    }
    Ok(())
}

/// plotly.js out of the crate's script elements: its typesetter of formulas, which no chart of ours uses, is left
/// out.
fn library(sources: &str) -> String {
    let scripts = sources.split("<script type=\"text/javascript\">");
    let bodies = scripts.filter_map(|script| Some(script.rsplit_once("</script>")?.0));
    let library = bodies.into_iter().find(|body| body.contains("plotly.js v"));
    library.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_whole_and_alone() {
        let sources = Plot::offline_js_sources();
        let library = library(&sources);
        assert!(library.trim_start().starts_with("/**\n* plotly.js v3"));
        assert!(library.len() > 4_000_000 && library.len() < sources.len() - 1_000_000);
        assert!(!library.contains("<script type=\"text/javascript\">"));
    }
}
