//! The elements that SORT sorts: copied, weighed, put in order. For `sort` only.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::value::list::{End, Item, List};
use crate::value::listpack::Element;
use crate::value::object::ObjectType;
use crate::value::set::Set;
use crate::value::sorted_set::SortedSet;

use super::pattern::Pattern;
use super::weight;

/// What is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// No key.
    Nothing,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    SortedSet,
}

impl Source {
    /// Looks at the command's first key, which is a use of it.
    pub(super) fn of(context: &mut Context<'_>) -> Result<Source, CommandError> {
        let (key, database, turn) = (context.key(1), context.database, context.turn);
        let entry = context.keyspaces.of(&key).read(database, &key, turn);
        match entry.map(|entry| entry.object_type()) {
            None => Ok(Source::Nothing),
            Some(ObjectType::List) => Ok(Source::List),
            Some(ObjectType::Set) => Ok(Source::Set),
            Some(ObjectType::SortedSet) => Ok(Source::SortedSet),
            Some(_) => Err(CommandError::WrongType),
        }
    }
}

/// By what elements are compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Order {
    /// By their weights, then by their texts.
    Weight,
    /// By their texts.
    Text,
    /// By the texts that were looked up for them; those without one come first.
    LookedUp,
}

/// One element.
struct Sorted {
    text: Range<usize>,
    weight: f64,
    /// Where the text stands that was looked up for it.
    looked_up: Option<Range<usize>>,
    /// Its place before it was sorted: equal ones stay in that order.
    place: usize,
}

/// See the file's head.
pub(super) struct Elements {
    /// All texts, one behind the other.
    texts: Vec<u8>,
    sorted: Vec<Sorted>,
    order: Order,
}

/// The part that LIMIT leaves of `len` elements.
fn part((offset, count): (i64, i64), len: usize) -> Range<usize> {
    let start = usize::try_from(offset).unwrap_or(0).min(len);
    let count = usize::try_from(count).unwrap_or(len);
    start..start.saturating_add(count).min(len)
}

impl Elements {
    fn new() -> Elements {
        Elements { texts: Vec::new(), sorted: Vec::new(), order: Order::Weight }
    }

    fn push(&mut self, element: Element<'_>) {
        let text = self.add_text(element.text(&mut [0; crate::stdx::number::INTEGER_TEXT_BYTES_MAX]));
        self.sorted.push(Sorted { text, weight: 0.0, looked_up: None, place: self.sorted.len() });
    }

    fn add_text(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        start..self.texts.len()
    }

    /// All elements of the command's first key, which `Source::of` looked at.
    pub(super) fn all(context: &Context<'_>) -> Elements {
        Elements::in_order(context, false, (0, -1))
    }

    /// The part that LIMIT leaves of all elements in their own order, or in the opposite one of lists and sorted sets.
    pub(super) fn in_order(context: &Context<'_>, descending: bool, limit: (i64, i64)) -> Elements {
        let mut elements = Elements::new();
        let Some(entry) = context.keyspaces.find(context.database, &context.key(1)) else { return elements };
        if let Some(list) = entry.collection::<List>() {
            elements.push_list(list, descending, part(limit, list.len()));
        } else if let Some(set) = entry.collection::<Set>() {
            let part = part(limit, set.len());
            set.iter().skip(part.start).take(part.len()).for_each(|element| elements.push(element));
        } else if let Some(sorted_set) = entry.collection::<SortedSet>() {
            let len = sorted_set.len();
            let part = part(limit, len);
            let ranks = if descending { len - part.end..len - part.start } else { part };
            sorted_set.range(ranks, descending).for_each(|member| elements.push(member.member));
        }
        elements
    }

    fn push_list(&mut self, list: &List, descending: bool, part: Range<usize>) {
        let mut left = part.len();
        if left == 0 {
            return;
        }
        let (start, towards) =
            if descending { (list.len() - 1 - part.start, End::Front) } else { (part.start, End::Back) };
        list.walk(start, towards, |item| {
            self.push(match item {
                Item::Packed(element) => element,
                Item::Plain(bytes) => Element::Bytes(bytes),
            });
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    }

    /// Finds out by what each element is sorted: its text or the text looked up for it, as such or as a number.
    pub(super) fn weigh(
        &mut self,
        context: &mut Context<'_>,
        by: Option<&Pattern<'_>>,
        alpha: bool,
    ) -> Result<(), CommandError> {
        self.order = match (alpha, by) {
            (false, _) => Order::Weight,
            (true, None) => Order::Text,
            (true, Some(_)) => Order::LookedUp,
        };
        if self.order == Order::Text {
            return Ok(());
        }
        let mut all_are_numbers = true;
        for index in 0..self.sorted.len() {
            let text = &self.texts[self.sorted[index].text.clone()];
            let Some(by) = by else {
                match weight(text) {
                    Some(weight) => self.sorted[index].weight = weight,
                    None => all_are_numbers = false,
                }
                continue;
            };
            if alpha {
                let found = by.with_value(context, text, |value| value.map(<[u8]>::to_vec));
                self.sorted[index].looked_up = found.map(|found| self.add_text(&found));
            } else {
                // What is missing weighs nothing.
                match by.with_value(context, text, |value| value.map_or(Some(0.0), weight)) {
                    Some(weight) => self.sorted[index].weight = weight,
                    None => all_are_numbers = false,
                }
            }
        }
        let refusal = CommandError::Text("ERR One or more scores can't be converted into double");
        if all_are_numbers { Ok(()) } else { Err(refusal) }
    }

    /// Sorts, and keeps the part that LIMIT leaves; only that part is really sorted.
    pub(super) fn sort(&mut self, descending: bool, limit: (i64, i64)) {
        let Elements { texts, sorted, order } = self;
        let compare = |one: &Sorted, other: &Sorted| {
            let by_text = || texts[one.text.clone()].cmp(&texts[other.text.clone()]);
            let ordering = match order {
                // No weight is "not a number".
                Order::Weight => one.weight.partial_cmp(&other.weight).unwrap_or(Ordering::Equal).then_with(by_text),
                Order::Text => by_text(),
                Order::LookedUp => {
                    let looked_up = |sorted: &Sorted| sorted.looked_up.clone().map(|range| &texts[range]);
                    looked_up(one).cmp(&looked_up(other))
                }
            };
            let ordering = if descending { ordering.reverse() } else { ordering };
            ordering.then(one.place.cmp(&other.place))
        };
        let part = part(limit, sorted.len());
        if part.end < sorted.len() {
            if part.end > 0 {
                sorted.select_nth_unstable_by(part.end - 1, compare);
            }
            sorted.truncate(part.end);
        }
        sorted.sort_unstable_by(compare);
        sorted.drain(..part.start);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Their texts in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.sorted.iter().map(|sorted| &self.texts[sorted.text.clone()])
    }
}
