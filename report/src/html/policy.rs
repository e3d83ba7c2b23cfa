//! The pages' Content-Security-Policy: scripts and style come from the folder of the page's own files, nothing
//! else loads, and nothing is sent anywhere.

/// The policy of every page.
///
/// Script and style are files beside the page, which `'self'` means for a page opened from a folder too. What
/// stands in the page itself can never run, whatever text it holds. Pictures are those that charts are saved
/// as. Plotly sets styles through the object model alone, which a policy does not restrict, and its style sheet,
/// which it would place in the page, is part of ours: `site.css` carries the id that tells it so.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src blob: data:; connect-src 'none'; base-uri 'none'; form-action 'none'";
