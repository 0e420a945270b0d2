//! A queue that many share: each has a line of items, and the lines are served in turn.
//!
//! Turns are given by cost (surplus round robin; Adiseshu, Parulkar and Varghese, "A Reliable and
//! Scalable Striping Protocol", SIGCOMM 1996): each turn adds [`QUANTUM`] to what a line may cost, and
//! whatever an item costs more is missing in the next turns. So an owner who is alone gets everything, and
//! two who both have items waiting get half each, however large those are.
//!
//! Where the queue is full, the line that holds most gives up its newest item for an item of another
//! owner. So nobody can keep others out by filling it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Cost that a turn allows: some small commits, so that a line with such doesn't wait for its next
/// turn after each of them.
const QUANTUM: i64 = 16 << 10;

/// The queue, of items `T` in lines of owners `U`. One thread takes items, any number put them in.
pub(crate) struct FairQueue<U, T> {
    lines: Mutex<Lines<U, T>>,
    filled: Condvar,
    limits: Limits,
}

/// The most that may wait in all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) items: usize,
    /// The sum of what the items cost. An item that costs more is taken where nothing else waits.
    pub(crate) cost: usize,
}

/// The outcome for an item that was to be put in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pushed<T> {
    /// It waits.
    Taken,
    /// It waits, and these were given up for it.
    InsteadOf(Vec<T>),
    /// There is no room, and no other owner holds more.
    Full(T),
    /// The queue is closed.
    Closed(T),
}

/// The result for the thread that takes items.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    Item(T),
    /// Nothing came in time.
    Nothing,
    /// Nothing is left, and nothing will come.
    Closed,
}

struct Lines<U, T> {
    by_owner: HashMap<U, Line<T>>,
    /// Owners whose line may be served, in the order of their turns. None is in it twice.
    turns: VecDeque<U>,
    /// Owners whose line waits for [`FairQueue::resume`].
    held: Vec<U>,
    items: usize,
    cost: usize,
    is_waited_for: bool,
    is_closed: bool,
}

struct Line<T> {
    items: VecDeque<Item<T>>,
    cost: usize,
    /// The cost that is left to it in this turn; below zero after an item that cost more.
    allowed: i64,
}

struct Item<T> {
    cost: usize,
    item: T,
}

impl<U: Clone + Eq + Hash, T> FairQueue<U, T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            lines: Mutex::new(Lines {
                by_owner: HashMap::new(),
                turns: VecDeque::new(),
                held: Vec::new(),
                items: 0,
                cost: 0,
                is_waited_for: false,
                is_closed: false,
            }),
            filled: Condvar::new(),
            limits,
        }
    }

    /// Puts an item at the end of an owner's line.
    pub(crate) fn push(&self, owner: &U, cost: usize, item: T) -> Pushed<T> {
        let mut lines = self.lines();
        if lines.is_closed {
            return Pushed::Closed(item);
        }
        if !lines.can_make_room(owner, cost, self.limits) {
            return Pushed::Full(item);
        }
        let mut given_up = Vec::new();
        while !lines.has_room(cost, self.limits)
            && let Some(item) = lines.give_up(owner, cost)
        {
            given_up.push(item);
        }
        lines.append(owner, Item { cost, item });
        let is_waited_for = std::mem::take(&mut lines.is_waited_for);
        drop(lines);
        if is_waited_for {
            self.filled.notify_one();
        }
        match given_up.is_empty() {
            true => Pushed::Taken,
            false => Pushed::InsteadOf(given_up),
        }
    }

    /// The next item, if there is one.
    pub(crate) fn try_take(&self) -> Option<T> {
        self.lines().next()
    }

    /// Waits for the next item.
    pub(crate) fn take_within(&self, time: Duration) -> Taken<T> {
        let deadline = Instant::now() + time;
        let mut lines = self.lines();
        loop {
            if let Some(item) = lines.next() {
                return Taken::Item(item);
            }
            if lines.is_closed && lines.items == 0 {
                return Taken::Closed;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Taken::Nothing;
            }
            lines.is_waited_for = true;
            let waited = self.filled.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Puts an item back at the front of an owner's line, and serves that line no more until
    /// [`FairQueue::resume`].
    pub(crate) fn hold(&self, owner: &U, item: Option<(usize, T)>) {
        let mut lines = self.lines();
        if let Some((cost, item)) = item {
            lines.prepend(owner, Item { cost, item });
        }
        if !lines.held.contains(owner) {
            lines.held.push(owner.clone());
        }
        lines.turns.retain(|other| other != owner);
    }

    /// Serves all lines again.
    pub(crate) fn resume(&self) {
        let mut lines = self.lines();
        for owner in std::mem::take(&mut lines.held) {
            if lines.by_owner.contains_key(&owner) {
                lines.turns.push_back(owner);
            }
        }
    }

    /// True if items of several owners wait.
    pub(crate) fn is_shared(&self) -> bool {
        self.lines().turns.len() > 1
    }

    /// Takes nothing more. What waits can still be taken.
    pub(crate) fn close(&self) {
        let mut lines = self.lines();
        lines.is_closed = true;
        drop(lines);
        self.filled.notify_all();
    }

    /// Closes the queue and drops what waits.
    pub(crate) fn abandon(&self) {
        self.close();
        let mut lines = self.lines();
        let dropped = std::mem::take(&mut lines.by_owner);
        lines.turns.clear();
        (lines.items, lines.cost) = (0, 0);
        drop(lines);
        drop(dropped);
    }

    fn lines(&self) -> MutexGuard<'_, Lines<U, T>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<U: Clone + Eq + Hash, T> Lines<U, T> {
    fn has_room(&self, cost: usize, limits: Limits) -> bool {
        let is_alone = self.items == 0;
        let fits = self.cost.saturating_add(cost) <= limits.cost;
        self.items < limits.items && (fits || is_alone)
    }

    /// Returns true if there is room for an item of this cost, or would be once every other line that holds
    /// more than this owner with the item has given up what it holds more. Nobody gives anything up for
    /// an item that is then refused.
    fn can_make_room(&self, owner: &U, cost: usize, limits: Limits) -> bool {
        if self.has_room(cost, limits) {
            return true;
        }
        let fair = self.held_by(owner).saturating_add(cost);
        let others = || self.by_owner.iter().filter(|(other, _)| *other != owner);
        let left: usize = others().map(|(_, line)| line.cost.min(fair)).sum();
        others().any(|(_, line)| line.cost > fair) && left.saturating_add(fair) <= limits.cost
    }

    /// The cost of all items of an owner.
    fn held_by(&self, owner: &U) -> usize {
        self.by_owner.get(owner).map_or(0, |line| line.cost)
    }

    /// Takes the newest item of the line that holds most, if that is another owner's and still holds more
    /// than this owner with an item of this cost.
    fn give_up(&mut self, owner: &U, cost: usize) -> Option<T> {
        let own = self.held_by(owner);
        let (largest, line) = self.by_owner.iter_mut().max_by_key(|(_, line)| line.cost)?;
        if largest == owner || line.cost <= own.saturating_add(cost) {
            return None;
        }
        let Item { cost, item } = line.items.pop_back()?;
        line.cost -= cost;
        let emptied = line.items.is_empty().then(|| largest.clone());
        self.items -= 1;
        self.cost -= cost;
        if let Some(owner) = emptied {
            self.remove(&owner);
        }
        Some(item)
    }

    fn line(&mut self, owner: &U, cost: usize) -> &mut Line<T> {
        self.items += 1;
        self.cost += cost;
        if !self.by_owner.contains_key(owner) && !self.held.contains(owner) {
            self.turns.push_back(owner.clone());
        }
        let line = self.by_owner.entry(owner.clone()).or_insert(Line {
            items: VecDeque::new(),
            cost: 0,
            allowed: 0,
        });
        line.cost += cost;
        line
    }

    fn append(&mut self, owner: &U, item: Item<T>) {
        self.line(owner, item.cost).items.push_back(item);
    }

    fn prepend(&mut self, owner: &U, item: Item<T>) {
        self.line(owner, item.cost).items.push_front(item);
    }

    fn remove(&mut self, owner: &U) {
        self.by_owner.remove(owner);
        self.turns.retain(|other| other != owner);
    }

    /// The next item of the line whose turn it is.
    fn next(&mut self) -> Option<T> {
        loop {
            let owner = self.turns.front()?.clone();
            let Some(line) = self.by_owner.get_mut(&owner) else {
                self.turns.pop_front();
                continue;
            };
            if line.allowed <= 0 {
                line.allowed = line.allowed.saturating_add(QUANTUM);
                if line.allowed <= 0 {
                    // It pays for what it had before. An owner who is alone pays at once.
                    self.turns.rotate_left(1);
                    continue;
                }
            }
            let Item { cost, item } = line.items.pop_front()?;
            line.cost -= cost;
            line.allowed -= i64::try_from(cost).unwrap_or(i64::MAX);
            let is_over = line.allowed <= 0;
            let is_empty = line.items.is_empty();
            self.items -= 1;
            self.cost -= cost;
            if is_empty {
                self.by_owner.remove(&owner);
                self.turns.pop_front();
            } else if is_over {
                self.turns.rotate_left(1);
            }
            return Some(item);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(items: usize, cost: usize) -> FairQueue<char, (char, usize)> {
        FairQueue::new(Limits { items, cost })
    }

    /// Puts so many items of a cost into an owner's line.
    fn fill(queue: &FairQueue<char, (char, usize)>, name: char, items: usize, cost: usize) {
        for number in 0..items {
            let pushed = queue.push(&name, cost, (name, number));
            assert_eq!(pushed, Pushed::Taken);
        }
    }

    /// The names of what is taken.
    fn take(queue: &FairQueue<char, (char, usize)>, items: usize) -> String {
        let taken = std::iter::from_fn(|| queue.try_take()).take(items);
        taken.map(|(name, _)| name).collect()
    }

    #[test]
    fn items_of_one_user_are_taken_in_their_order() {
        let queue = queue(100, 1 << 20);
        fill(&queue, 'a', 50, 1_000);
        for number in 0..50 {
            assert_eq!(queue.try_take(), Some(('a', number)));
        }
        assert_eq!(queue.try_take(), None);
    }

    #[test]
    fn two_users_get_half_of_the_cost_each_whatever_their_items_cost() {
        let queue = queue(10_000, 1 << 30);
        fill(&queue, 'a', 1_000, 100_000);
        fill(&queue, 'b', 5_000, 1_000);
        let taken = take(&queue, 2_000);
        let small = taken.matches('b').count();
        let large = taken.matches('a').count();
        // In bytes.
        let share = small * 1_000 * 100 / (small * 1_000 + large * 100_000);
        assert!((45..=55).contains(&share), "b got {share} %");
    }

    #[test]
    fn a_newcomer_is_served_after_at_most_one_turn_of_each_other() {
        let queue = queue(10_000, 1 << 30);
        for name in 'a'..='j' {
            fill(&queue, name, 500, 1_000);
        }
        take(&queue, 777);
        fill(&queue, 'z', 1, 1_000);
        let before = take(&queue, 500).find('z').unwrap();
        assert!(before <= 10 * 18, "{before}");
    }

    #[test]
    fn a_large_item_is_paid_for_in_later_turns() {
        let queue = queue(10_000, 1 << 30);
        fill(&queue, 'a', 2, 1_000_000);
        fill(&queue, 'b', 2_000, 1_000);
        let taken = take(&queue, 1_500);
        let first = taken.find('a').unwrap();
        let second = taken.rfind('a').unwrap();
        assert!(first < 20, "{first}");
        assert!((900..1_100).contains(&(second - first)), "{first} {second}");
    }

    #[test]
    fn a_user_who_is_alone_pays_nothing() {
        let queue = queue(10_000, 1 << 30);
        fill(&queue, 'a', 3, 10_000_000);
        assert_eq!(take(&queue, 10), "aaa");
    }

    #[test]
    fn who_holds_most_gives_up_the_newest_for_others_and_not_for_themselves() {
        let queue = queue(10, 1 << 30);
        fill(&queue, 'a', 10, 1_000);
        let pushed = queue.push(&'a', 1_000, ('a', 10));
        assert_eq!(pushed, Pushed::Full(('a', 10)));
        for (number, given_up) in (0..5).zip([9, 8, 7, 6]) {
            let pushed = queue.push(&'b', 1_000, ('b', number));
            assert_eq!(pushed, Pushed::InsteadOf(vec![('a', given_up)]));
        }
        fill_refused(&queue);
        let taken = take(&queue, 100);
        assert_eq!(
            (taken.matches('a').count(), taken.matches('b').count()),
            (6, 4)
        );
    }

    #[test]
    fn nothing_is_given_up_for_an_item_that_does_not_fit_all_the_same() {
        let queue = queue(100, 64_000);
        fill(&queue, 'a', 40, 1_000);
        fill(&queue, 'c', 20, 1_000);
        // With 35,000 of each of the two others there is no room for 35,000 more beside `c`.
        let refused = queue.push(&'b', 35_000, ('b', 0));
        assert_eq!(refused, Pushed::Full(('b', 0)));
        assert_eq!(take(&queue, 100).matches('a').count(), 40);
    }

    /// Neither of two who hold about the same gives up anything for the other.
    fn fill_refused(queue: &FairQueue<char, (char, usize)>) {
        for name in ['a', 'b'] {
            let refused = queue.push(&name, 3_000, (name, 99));
            assert_eq!(refused, Pushed::Full((name, 99)));
        }
    }

    #[test]
    fn cost_is_bounded_and_an_item_beyond_it_is_taken_alone() {
        let queue = queue(100, 10_000);
        fill(&queue, 'a', 1, 20_000);
        let refused = queue.push(&'a', 1, ('a', 1));
        assert_eq!(refused, Pushed::Full(('a', 1)));
        let pushed = queue.push(&'b', 1, ('b', 0));
        assert_eq!(pushed, Pushed::InsteadOf(vec![('a', 0)]));
        assert_eq!(take(&queue, 10), "b");
    }

    #[test]
    fn a_line_that_is_held_is_not_served_and_keeps_its_order() {
        let queue = queue(100, 1 << 20);
        fill(&queue, 'a', 3, 1_000);
        let Some(first) = queue.try_take() else {
            panic!("there is an item");
        };
        queue.hold(&'a', Some((1_000, first)));
        fill(&queue, 'b', 2, 1_000);
        queue.push(&'a', 1_000, ('a', 3));
        assert_eq!(take(&queue, 10), "bb");
        queue.resume();
        for number in 0..4 {
            assert_eq!(queue.try_take(), Some(('a', number)));
        }
    }

    #[test]
    fn a_closed_queue_takes_nothing_and_gives_what_it_has() {
        let queue = queue(100, 1 << 20);
        fill(&queue, 'a', 1, 1);
        queue.close();
        assert_eq!(queue.push(&'b', 1, ('b', 0)), Pushed::Closed(('b', 0)));
        let wait = Duration::from_secs(60);
        assert_eq!(queue.take_within(wait), Taken::Item(('a', 0)));
        assert_eq!(queue.take_within(wait), Taken::Closed);
    }

    #[test]
    fn who_waits_is_woken_by_an_item_and_by_the_end() {
        let queue = queue(100, 1 << 20);
        assert_eq!(queue.take_within(Duration::from_millis(1)), Taken::Nothing);
        let wait = Duration::from_secs(60);
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| (queue.take_within(wait), queue.take_within(wait)));
            fill(&queue, 'a', 1, 1);
            std::thread::sleep(Duration::from_millis(20));
            queue.close();
            let taken = taken.join().unwrap();
            assert_eq!(taken, (Taken::Item(('a', 0)), Taken::Closed));
        });
    }
}
