//! Going through the elements of one node in either direction.

use std::ops::ControlFlow;

use crate::value::listpack::Listpack;

use super::node::Node;
use super::{End, Item};

/// Shows the elements of a listpack, from the one at an index towards an end.
pub(super) fn walk_pack(
    pack: &Listpack,
    start: usize,
    towards: End,
    visit: &mut impl FnMut(Item<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut at = pack.seek(start as i64);
    if towards == End::Back {
        if let Some(at) = at {
            for element in pack.iter_from(at) {
                visit(Item::Packed(element))?;
            }
        }
    } else {
        while let Some(here) = at {
            visit(Item::Packed(pack.get(here)))?;
            at = pack.previous(here);
        }
    }
    ControlFlow::Continue(())
}

/// As `walk_pack`, for a node.
pub(super) fn walk_node(
    node: &Node,
    start: usize,
    towards: End,
    visit: &mut impl FnMut(Item<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    match node {
        Node::Packed { pack, .. } => walk_pack(pack, start, towards, visit),
        Node::Plain(bytes) => visit(Item::Plain(bytes)),
    }
}
