//! Textures used again: a result is kept only as long as a later pass reads it.

use super::graph::{Pass, Slot, Texture};

/// Gives every result a slot, and slots that hold nothing needed any more to later results of the same size and format.
///
/// `passes` name results by their number in `results`; afterwards they name slots. `kept` is needed beyond the last pass; its
/// slot is returned.
pub fn assign(
    passes: &mut [Pass],
    results: &[Slot],
    kept: Option<usize>,
) -> (Vec<Slot>, Option<usize>) {
    let mut last_use = vec![0; results.len()];
    for (at, pass) in passes.iter().enumerate() {
        let reads = pass.reads.iter().map(|read| read.texture);
        for texture in reads.chain(pass.writes.iter().copied()) {
            if let Texture::Slot(result) = texture {
                last_use[result] = at;
            }
        }
    }
    if let Some(kept) = kept {
        last_use[kept] = usize::MAX;
    }
    let mut slots: Vec<Slot> = Vec::new();
    let mut free: Vec<usize> = Vec::new();
    let mut place = vec![None; results.len()];
    for (at, pass) in passes.iter_mut().enumerate() {
        // A pass never writes what it reads, so what it reads last is free for the next one only.
        for texture in &mut pass.writes {
            let Texture::Slot(result) = *texture else { continue };
            let wanted = results[result];
            let slot = match free.iter().position(|&slot| slots[slot] == wanted) {
                Some(at) => free.swap_remove(at),
                None => {
                    slots.push(wanted);
                    slots.len() - 1
                }
            };
            place[result] = Some(slot);
            *texture = Texture::Slot(slot);
        }
        for read in &mut pass.reads {
            if let Texture::Slot(result) = read.texture
                && let Some(slot) = place[result]
            {
                read.texture = Texture::Slot(slot);
            }
        }
        for (result, &last) in last_use.iter().enumerate() {
            if last == at
                && let Some(slot) = place[result]
                && !free.contains(&slot)
            {
                free.push(slot);
            }
        }
    }
    (slots, kept.and_then(|result| place[result]))
}
