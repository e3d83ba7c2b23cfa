//! `report check` and `report compare`: finds the two sides and has them judged.

mod source;

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use store::Session;
use store::db::Noise;
use store::gate::{
    Choice, Comment, Elsewhere, Judgement, Row, Side, Sides, choose, is_clock, judge, pairs,
    pairs_file, waiver, waiver_file,
};
use store::print::Format;

use crate::archive::commit;
use crate::error::{Error, Result};
use crate::template::Templates;
use source::Found;

/// Most bytes of a file of a judgement.
const LARGEST_JUDGEMENT: u64 = 8 << 20;

/// What `report check` is asked.
#[derive(Clone, Debug)]
pub struct Check {
    /// The database that branches and ids are looked up in.
    pub db: PathBuf,
    /// What is judged.
    pub what: What,
    /// Which rows count.
    pub rows: Rows,
    /// File of accepted regressions.
    pub waivers: Option<PathBuf>,
    /// The day on which waivers must still count.
    pub today: NaiveDate,
}

/// What is judged.
#[derive(Clone, Debug)]
pub enum What {
    /// Stored runs.
    Runs {
        /// A run, a session, or a file of sessions.
        candidate: String,
        /// The same, or a branch.
        baseline: String,
        /// The commit that both have in common.
        merge_base: Option<String>,
    },
    /// A file of pairs.
    Pairs(PathBuf),
    /// What was judged before: files of JSON, all in one. One that cannot be read is a missing row.
    Judgements(Vec<PathBuf>),
}

/// Which rows count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All.
    All,
    /// Counters and answers, which no clock disturbs.
    Counters,
}

impl Rows {
    /// What becomes of clocks that must not be compared.
    const fn apart(self) -> Elsewhere {
        match self {
            Self::All => Elsewhere::Refused,
            Self::Counters => Elsewhere::LeftOut,
        }
    }
}

/// Judges a candidate.
///
/// # Errors
/// When an input cannot be read or names nothing; a missing baseline is a verdict and no error.
pub fn check(check: &Check) -> Result<Judgement> {
    let mut judgement = match &check.what {
        What::Pairs(file) => from_pairs(file)?,
        What::Judgements(files) => joined(files),
        What::Runs {
            candidate,
            baseline,
            merge_base,
        } => from_runs(check, candidate, (baseline, merge_base.as_deref()))?,
    };
    if check.rows == Rows::Counters {
        let is_counter = |row: &Row| row.metric.is_none_or(|metric| !is_clock(metric));
        judgement.rows.retain(is_counter);
    }
    if let Some(file) = &check.waivers {
        let waivers = waiver_file::read(file).map_err(Error::Toml)?;
        waiver::apply(&mut judgement, &waivers, check.today);
    }
    Ok(judgement)
}

fn from_pairs(file: &Path) -> Result<Judgement> {
    let text = source::text(file, source::LARGEST)?;
    let series = pairs_file::parse(&text).map_err(|reason| Error::Input {
        place: file.display().to_string(),
        reason,
    })?;
    Ok(Judgement {
        head: format!("pairs of {}", file.display()),
        ..pairs::judge(&series)
    })
}

/// Judgements of other programs and machines as one. Their texts are hostile.
fn joined(files: &[PathBuf]) -> Judgement {
    let mut all = Judgement::default();
    for file in files {
        let read = source::text(file, LARGEST_JUDGEMENT).map_err(|error| error.to_string());
        let parsed = read.and_then(|text| store::gate::parse(&text));
        let name = file
            .file_name()
            .unwrap_or(file.as_os_str())
            .to_string_lossy();
        let missing = |reason: String| Judgement {
            rows: vec![Row::missing(&name, format!("no judgement: {reason}"))],
            ..Judgement::default()
        };
        all.join(parsed.unwrap_or_else(missing));
    }
    all
}

/// Branch, id or file of a baseline, and the merge base.
type Named<'a> = (&'a str, Option<&'a str>);

fn from_runs(
    check: &Check,
    candidate: &str,
    (baseline, merge_base): Named<'_>,
) -> Result<Judgement> {
    let Found { source, sessions } = source::candidate(&check.db, candidate)?;
    if sessions.is_empty() {
        return Err(Error::Input {
            place: candidate.to_owned(),
            reason: "holds no session".to_owned(),
        });
    }
    let (mut pool, branch) = source::baseline(&check.db, baseline)?;
    pool.sessions
        .retain(|session| sessions.iter().all(|head| head.id != session.id));
    let choice = Choice {
        branch: branch.as_deref(),
        merge_base,
    };
    let groups = source::groups(&sessions);
    let mut all = Judgement::default();
    for group in &groups {
        let mut judgement = of_group(&pool, &source.sides(group)?, (choice, check.rows))?;
        if let [_, _, ..] = groups[..] {
            tell_apart(&mut judgement, group);
        }
        all.join(judgement);
    }
    Ok(all)
}

/// Sessions of one machine, suite and profile against those of the baseline that are like them.
fn of_group(pool: &Found, head: &[Side], (choice, rows): (Choice<'_>, Rows)) -> Result<Judgement> {
    let sessions: Vec<Session> = head.iter().map(|side| side.session.clone()).collect();
    let Some(newest) = sessions.last() else {
        return Ok(Judgement::default());
    };
    let found = choose(newest, &pool.sessions, choice);
    let mut judgement = Judgement {
        base: found.why.clone(),
        head: words(&sessions),
        ..Judgement::default()
    };
    if found.sessions.is_empty() {
        judgement.rows = vec![Row::missing("*", format!("no baseline: {}", found.why))];
        return Ok(judgement);
    }
    let pick = |numbers: &[usize]| -> Vec<Session> {
        numbers
            .iter()
            .map(|&at| pool.sessions[at].clone())
            .collect()
    };
    let base = pick(&found.sessions);
    judgement.base = format!("{}: {}", found.why, words(&base));
    if found.apart.is_some() {
        judgement.watermark = Some(watermark(&base, newest));
    }
    judgement.rows = judge(Sides {
        base: &pool.source.sides(&base)?,
        head,
        history: &pool.source.sides(&pick(&found.history))?,
        floors: &pool.source.floors(newest)?,
        accepted: &pool.source.accepted()?,
        elsewhere: found.apart.map_or(Elsewhere::Here, |_| rows.apart()),
    });
    Ok(judgement)
}

/// Says of each row which group it is of: cells of two groups may have one name.
fn tell_apart(judgement: &mut Judgement, group: &[Session]) {
    let Some(session) = group.last() else { return };
    let Session { suite, profile, .. } = session;
    let place = session.machine.describe();
    let conditions = session.environment.conditions();
    for row in &mut judgement.rows {
        row.reason += &format!("; suite {suite:?} in profile {profile:?} on {place}, {conditions}");
    }
}

/// Prints a judgement to standard output, `out`.
///
/// # Errors
/// [`Error::Template`]; [`Error::Store`] where `out` cannot be written.
pub fn print(
    judgement: &Judgement,
    format: Format,
    templates: &Templates,
    out: &mut dyn Write,
) -> Result<()> {
    let draw = |comment: &Comment| templates.render("check.md", comment);
    store::print::print(judgement, format, draw, out)
}

/// Compares two runs or sessions cell by cell, wherever they were measured; nothing is gated.
///
/// # Errors
/// When an input cannot be read or names nothing.
pub fn compare(db: &Path, base: &str, head: &str) -> Result<Judgement> {
    let (base, head) = (source::one(db, base)?, source::one(db, head)?);
    let floors = base.source.floors(&base.sessions[0])?;
    let (base, head) = (
        base.source.sides(&base.sessions)?,
        head.source.sides(&head.sessions)?,
    );
    Ok(of_two(&base[0], &head[0], &floors))
}

/// What two sessions come to, wherever they were measured. `floors`: of the base's machine.
pub(crate) fn of_two(base: &Side, head: &Side, floors: &[Noise]) -> Judgement {
    let (first, second) = (&base.session, &head.session);
    let elsewhere = match first.machine.key() == second.machine.key() {
        true => Elsewhere::Here,
        false => Elsewhere::Shown,
    };
    Judgement {
        base: words(std::slice::from_ref(first)),
        head: words(std::slice::from_ref(second)),
        watermark: apart(first, second),
        rows: judge(Sides {
            base: std::slice::from_ref(base),
            head: std::slice::from_ref(head),
            history: &[],
            floors,
            accepted: &[],
            elsewhere,
        }),
        notes: Vec::new(),
    }
}

/// Why two sessions must not be taken for alike.
fn apart(base: &Session, head: &Session) -> Option<String> {
    let pairs = [
        ("machines", base.machine.describe(), head.machine.describe()),
        ("suites", base.suite.clone(), head.suite.clone()),
        ("profiles", base.profile.clone(), head.profile.clone()),
    ];
    let differ = pairs.into_iter().filter(|(_, base, head)| base != head);
    let differ: Vec<String> = differ
        .map(|(what, base, head)| format!("other {what}: {base} against {head}"))
        .collect();
    (!differ.is_empty()).then(|| differ.join("; "))
}

/// Where and how both were measured, clocks of which are not compared.
fn watermark(base: &[Session], head: &Session) -> String {
    let both = |word: &dyn Fn(&Session) -> String| {
        let base = base.last().map_or_else(String::new, word);
        let head = word(head);
        (base != head).then(|| format!("base {base}, head {head}"))
    };
    let differ = both(&|session| format!("on {}", session.machine.describe()))
        .or_else(|| both(&|session| format!("with {}", session.environment.conditions())));
    format!(
        "{}: counters and answers alone are judged",
        differ.unwrap_or_default()
    )
}

/// Sessions in words: commit, branch, day, profile.
fn words(sessions: &[Session]) -> String {
    let word = |session: &Session| {
        format!(
            "{} ({}, {})",
            commit(session),
            session.at.format("%Y-%m-%d"),
            session.profile
        )
    };
    match sessions {
        [] => String::new(),
        [one] => word(one),
        [first, .., last] => format!("{} to {}", word(first), word(last)),
    }
}
