//! Joules of a picture and of a token, above what the machine uses at rest.
//!
//! A counter of energy covers a whole processor or GPU, so three spans are compared: the loaded model
//! at rest, requests of two ids, and requests of 64. What the longer ones take more, over the ids that
//! they have more, is the energy of a token; what the shorter ones take above rest, less one token, is
//! that of a picture with its prompt, up to the first id.

use std::time::Duration;

use store::Metric;

use crate::measure::Clock;
use crate::measure::energy::Meter;
use crate::subject::{AskError, Stop, Subject};

use super::probe::{Probe, Question};
use super::warm_inference::{Pictures, Workload};

/// How long each span lasts at least.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spans {
    pub(super) rest: Duration,
    pub(super) asking: Duration,
}

/// Many times the tenth of a second in which the slowest counters move.
pub(super) const SPANS: Spans = Spans {
    rest: Duration::from_secs(1),
    asking: Duration::from_secs(2),
};

/// Ids of the shorter and the longer requests. One alone would be no answer, see I3.
const IDS: [usize; 2] = [2, 64];

/// Longest wait for a counter to move.
const EDGE: Duration = Duration::from_millis(250);

/// What was used in one span.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    joules: f64,
    seconds: f64,
    requests: usize,
}

/// Measures where there is a counter; where there is none, nothing is told.
pub(super) fn measure(
    subject: &mut dyn Subject,
    probe: &mut Probe<'_>,
    workload: Workload,
    spans: Spans,
) -> Result<(), AskError> {
    let Some(meter) = probe.gauge.meter() else {
        return Ok(());
    };
    let mut sitting = Sitting {
        messages: workload.messages(probe.set),
        // Other pictures than those of the scenario around it.
        pictures: Pictures::new(workload, probe.seed.wrapping_add(1))?,
        asked: 0,
        subject,
        probe,
        meter,
        fault: None,
    };
    let rest = sitting.rest(spans.rest);
    let short = sitting.asking(spans.asking, IDS[0])?;
    let long = sitting.asking(spans.asking, IDS[1])?;
    let fault = sitting.fault;
    let told = rest.zip(short).zip(long);
    let told = told.ok_or_else(|| "the counter stopped".to_owned());
    let told = fault.map_or(told, Err);
    match told.and_then(|((rest, short), long)| figures(rest, short, long)) {
        Ok(figures) => figures
            .into_iter()
            .for_each(|(metric, value)| probe.value(metric, value)),
        // Nothing was measured wrong: there is nothing to tell.
        Err(why) => probe.finding(&format!("{}: {why}", store::NO_ENERGY)),
    }
    Ok(())
}

/// What is told.
#[cfg(test)]
pub(super) const METRICS: [Metric; 3] = [
    Metric::EnergyPerImage,
    Metric::EnergyPerToken,
    Metric::IdlePower,
];

fn figures(rest: Span, short: Span, long: Span) -> Result<[(Metric, f64); 3], String> {
    let idle = rest.joules / rest.seconds;
    let request = |span: Span| (span.joules - idle * span.seconds) / span.requests as f64;
    let token = (request(long) - request(short)) / (IDS[1] - IDS[0]) as f64;
    let image = request(short) - token;
    if long.joules <= 0.0 {
        return Err("the counter stands still".to_owned());
    }
    if !(image > 0.0 && token > 0.0) {
        let why = "the counter shows no more than at rest: others' work came between";
        return Err(why.to_owned());
    }
    Ok([
        (Metric::EnergyPerImage, image),
        (Metric::EnergyPerToken, token),
        (Metric::IdlePower, idle),
    ])
}

struct Sitting<'a, 'p> {
    subject: &'a mut dyn Subject,
    probe: &'a mut Probe<'p>,
    meter: Box<dyn Meter>,
    messages: [crate::subject::Message; 1],
    pictures: Pictures,
    asked: usize,
    /// Why a reply does not count.
    fault: Option<String>,
}

impl Sitting<'_, '_> {
    fn rest(&mut self, time: Duration) -> Option<Span> {
        let (joules, clock) = self.edge()?;
        self.probe.rest(time);
        self.span(joules, clock, 0)
    }

    fn asking(&mut self, time: Duration, ids: usize) -> Result<Option<Span>, AskError> {
        let Some((joules, clock)) = self.edge() else {
            return Ok(None);
        };
        let before = self.asked;
        while self.asked == before || clock.elapsed() < time {
            self.ask(ids)?;
        }
        Ok(self.span(joules, clock, self.asked - before))
    }

    fn ask(&mut self, ids: usize) -> Result<(), AskError> {
        let picture = self.pictures.nth(self.asked);
        self.asked += 1;
        let question = Question {
            stop: Stop::AtLimit,
            ..Question::new(Some(&picture), &self.messages, ids)
        };
        let asked = self.probe.ask(self.subject, &question)?;
        self.fault = self.fault.take().or(asked.untimed);
        Ok(())
    }

    fn span(&mut self, joules: f64, clock: Clock, requests: usize) -> Option<Span> {
        let (end, edge) = self.edge()?;
        let seconds = clock.elapsed().saturating_sub(edge.elapsed()).as_secs_f64();
        Some(Span {
            joules: end - joules,
            seconds,
            requests,
        })
    }

    /// The counter at the moment when it next moves, so that a slow one is not read between two steps.
    fn edge(&mut self) -> Option<(f64, Clock)> {
        let first = self.meter.joules()?;
        let waiting = Clock::start();
        let reached = loop {
            let now = self.meter.joules()?;
            if now > first || waiting.elapsed() > EDGE {
                break (now, Clock::start());
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.probe.model_time += waiting.elapsed();
        Some(reached)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::message::{Epoch, Message as Line};
    use crate::scenarios::Gauge;
    use crate::scenarios::fake::{Fake, birth, set};
    use crate::scenarios::warm_inference::DESCRIBE;

    const SHORT: Spans = Spans {
        rest: Duration::from_millis(20),
        asking: Duration::from_millis(20),
    };

    /// Half a watt, and what the model adds to it.
    struct Scripted {
        clock: Clock,
        used: Rc<Cell<f64>>,
        /// Readings before it stops.
        left: usize,
    }

    impl Meter for Scripted {
        fn joules(&mut self) -> Option<f64> {
            self.left = self.left.checked_sub(1)?;
            Some(0.5 * self.clock.elapsed().as_secs_f64() + self.used.get())
        }
    }

    struct Metered(Rc<Cell<f64>>, usize);

    impl Gauge for Metered {
        fn meter(&self) -> Option<Box<dyn Meter>> {
            Some(Box::new(Scripted {
                clock: Clock::start(),
                used: Rc::clone(&self.0),
                left: self.1,
            }))
        }
        fn footprint(&self) -> Option<u64> {
            None
        }
        fn disk_read(&self) -> Option<u64> {
            None
        }
    }

    /// What is told of a model that takes so many joules a picture and a token.
    fn told(image: f64, token: f64, readings: usize) -> Vec<Line> {
        let used = Rc::new(Cell::new(0.0));
        let counter = Rc::clone(&used);
        let mut model = Fake::seeing().twisted(move |reply, _| {
            let ids = reply.output_ids.len() as f64;
            counter.set(counter.get() + image + token * (ids - 1.0));
        });
        let (set, epoch, mut lines) = (set(), Epoch::new("", 1), Vec::new());
        let mut probe = Probe {
            set: &set,
            epoch: &epoch,
            birth: birth(),
            references: &[],
            gauge: &Metered(used, readings),
            seed: 7,
            neighbour: None,
            model_time: Duration::ZERO,
            out: &mut |line| lines.push(line),
        };
        measure(&mut model, &mut probe, DESCRIBE, SHORT).unwrap();
        lines
    }

    #[test]
    fn pictures_and_tokens_are_told_apart_from_rest() {
        let lines = told(0.3, 0.01, usize::MAX);
        let check = |wanted, expected: f64| {
            let found = lines.iter().find_map(|line| match line {
                Line::Sample { metric, value } if *metric == wanted => Some(*value),
                _ => None,
            });
            let found = found.unwrap();
            assert!((found / expected - 1.0).abs() < 0.02, "{wanted} {found}");
        };
        check(Metric::EnergyPerImage, 0.3);
        check(Metric::EnergyPerToken, 0.01);
        check(Metric::IdlePower, 0.5);
    }

    #[test]
    fn nothing_above_rest_and_a_counter_that_stops_are_no_figures() {
        let check = |lines: Vec<Line>, why: &str| {
            assert_eq!(lines.len(), 1, "{lines:?}");
            for line in lines {
                assert!(
                    matches!(&line, Line::Finding { text } if text.contains(why)),
                    "{line:?}"
                );
            }
        };
        check(told(0.3, -0.001, usize::MAX), "no more than at rest");
        check(told(-0.3, 0.01, usize::MAX), "no more than at rest");
        check(told(0.3, 0.01, 3), "stopped");
    }
}
