//! The revision that had certainly been reached at each time.

use crate::history::operation::Moment;

/// The greatest revision that any client had seen, over time.
#[derive(Default)]
pub(super) struct Passed(Vec<(Moment, u64)>);

impl Passed {
    /// Adds the revision that had been reached at a moment; moments come in order.
    pub(super) fn note(&mut self, moment: Moment, reached: u64) {
        if self.0.last().is_none_or(|(_, before)| *before < reached) {
            self.0.push((moment, reached));
        }
    }

    /// The revision that had been reached at a moment.
    pub(super) fn reached_at(&self, moment: Moment) -> u64 {
        let later = self.0.partition_point(|(noted, _)| *noted <= moment);
        later.checked_sub(1).map_or(0, |last| self.0[last].1)
    }

    /// The time at which a revision had been reached.
    pub(super) fn when(&self, revision: u64) -> Moment {
        let before = self.0.partition_point(|(_, reached)| *reached < revision);
        self.0
            .get(before)
            .map_or(Moment::MAX, |(moment, _)| *moment)
    }
}
