//! Nothing sticks out of the window.

use crate::page::{Look, Page};

/// What does, and is not within an element that scrolls.
const OUT: &str = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 0.5 && \
    !e.parentElement.closest('.scroll, .plot')).map(e => e.outerHTML.slice(0, 120)).slice(0, 5)";

const OVER: &str = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/// The page as it is shown now. Charts take a moment to follow the window.
pub(crate) fn check(page: &Page<'_>, look: Look) {
    let over = page.eval(&format!(
        "new Promise(done => {{ const end = performance.now() + 5000; const look = () => \
         {OVER} === 0 || performance.now() > end ? done({OVER}) : setTimeout(look, 20); look(); }})"
    ));
    assert_eq!(
        over,
        0,
        "{} at {look:?}: {:#?}",
        page.address,
        page.texts(OUT)
    );
}
