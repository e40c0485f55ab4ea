//! A few tiles that cover what changed.
//!
//! What the changed blocks reach (`region.rs`) is cut in two, and each half again, as long as that makes it cheaper; each
//! part becomes a [`Patch`], a tile of one of a few fixed shapes, because engines of static shape compile each new one.
//! Patches keep the rules of [`super::tile`]: a patch lies inside the padded frame, begins at a multiple of the alignment, and
//! every pixel that it owns has the whole halo around it or the padded frame's edge. So each owned pixel is exactly what it
//! would be in the whole frame. That asks for a network whose halo is exact: with any other, run the whole plan for every
//! change, and keep the output only where nothing changed at all.
//!
//! With two passes the second has a `Cover` of its own, without spread; mark in its [`ChangeMap`] what the first's patches fill
//! ([`Patch::target`]).

use super::change::{BLOCK, ChangeMap};
use super::geometry::{Size, align_up};
use super::patch::{Patch, Track};
use super::region::{Extent, Lines, Reach, Region};
use super::tile::{Axis, TilePlan, lcm};

/// Side of a cell, the unit in which parts are cut, where alignment and scale allow it.
const CELL: usize = 4;

/// What a run of the network costs beside its pixels, in pixels.
const RUN_COST: usize = 2500;

/// A cover that costs more of the whole plan is not worth the blocks that would stay old.
const WORTHWHILE: f64 = 0.92;

/// What is to be inferred for a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// These patches; none where nothing changed. Pixels that two of them own come out the same in both.
    Patches(Vec<Patch>),
    /// The whole plan: patches would be hardly cheaper.
    Whole,
}

/// Finds what is to be inferred for frames of one plan.
#[derive(Debug, Clone)]
pub struct Cover {
    reach: Reach,
    x: Track,
    y: Track,
    /// Cost of the whole plan.
    whole: usize,
}

/// A part of the padded frame, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    x: Extent,
    y: Extent,
}

impl Cover {
    /// For frames of `plan` and a network of this `alignment` and exact `halo`, in input pixels.
    ///
    /// `spread` is how far a block's samples reach beside it before the network sees them ([`super::change::spread`]).
    /// Patches have one of `steps` lengths on each axis (1: the plan's tile only). Few suit engines that compile each shape, many
    /// those that do not mind. What animevideov3-x2 costs, the whole plan being 1, at 640x360 through x264 at crf 20:
    ///
    /// | steps | mouth flaps, exact / 2 codes | character on twos | shapes used in 4 s |
    /// |---|---|---|---|
    /// | 3 | 0.36 / 0.09 | 0.98 / 0.74 | 4-7 |
    /// | 5 | 0.27 / 0.08 | 0.93 / 0.63 | 5-18 |
    /// | 9 | 0.25 / 0.06 | 0.89 / 0.57 | 9-44 |
    /// | 64 | 0.22 / 0.06 | 0.84 / 0.52 | 14-151 |
    pub fn new(
        plan: &TilePlan,
        alignment: usize,
        halo: usize,
        spread: usize,
        steps: usize,
    ) -> Self {
        let den = plan.scale.den();
        let cell = lcm(lcm(CELL, alignment.max(1)), den);
        let halo = align_up(halo, den);
        // What a single changed block asks for.
        let smallest = align_up(BLOCK + 2 * (spread + halo), cell);
        let track = |axis: &Axis| Track::new(axis, (alignment, den, cell), halo, smallest, steps);
        Self {
            reach: Reach::new(plan, cell, halo, spread),
            x: track(&plan.x),
            y: track(&plan.y),
            whole: plan.len() * (plan.tile_size().area() + RUN_COST),
        }
    }

    /// The shapes that patches may have, in input pixels; the largest is that of the plan's tiles.
    pub fn shapes(&self) -> impl Iterator<Item = Size> + '_ {
        let sizes = |&height| self.x.sizes().iter().map(move |&width| Size::new(width, height));
        self.y.sizes().iter().flat_map(sizes)
    }

    /// What is to be inferred when `changes`, of the plan's frame, have changed.
    pub fn work(&self, changes: &ChangeMap) -> Work {
        let region = self.reach.region(changes);
        let all = Part { x: (0, region.columns.count()), y: (0, region.rows.count()) };
        let Some(part) = trimmed(&region, all) else { return Work::Patches(Vec::new()) };
        let mut parts = Vec::new();
        let cost = self.split(&region, part, &mut parts);
        if cost as f64 > WORTHWHILE * self.whole as f64 {
            return Work::Whole;
        }
        let patches: Option<Vec<_>> = parts.into_iter().map(|part| self.patch(part)).collect();
        patches.map_or(Work::Whole, Work::Patches)
    }

    /// Covers `part`, which is trimmed: adds the parts of the cheapest cover found to `into` and gives its cost.
    fn split(&self, region: &Region, part: Part, into: &mut Vec<Part>) -> usize {
        let (single, fits) = self.cost(part);
        let cut = halves(region, part)
            .map(|(a, b)| (self.cost(a).0 + self.cost(b).0, a, b))
            .min_by_key(|&(cost, ..)| cost);
        match cut {
            Some((cost, a, b)) if cost < single || !fits => {
                self.split(region, a, into) + self.split(region, b, into)
            }
            _ => {
                into.push(part);
                single
            }
        }
    }

    /// What patches for `part` cost, in pixels, and whether one is enough.
    fn cost(&self, part: Part) -> (usize, bool) {
        let (x, y) = (self.x.need(part.x), self.y.need(part.y));
        let count = x.count * y.count;
        (count * (x.size * y.size + RUN_COST), count == 1)
    }

    /// The patch that owns `part`; `None` where it is larger than any.
    fn patch(&self, part: Part) -> Option<Patch> {
        let ((width, x), (height, y)) = (self.x.place(part.x)?, self.y.place(part.y)?);
        Some(Patch { size: Size::new(width, height), x, y })
    }
}

/// Every way to cut `part` in two, straight through; both halves are trimmed.
fn halves(region: &Region, part: Part) -> impl Iterator<Item = (Part, Part)> {
    let (columns, rows) =
        (hulls(&region.columns, part.x, part.y), hulls(&region.rows, part.y, part.x));
    let along_x =
        columns.into_iter().map(|(a, b)| (Part { x: a.0, y: a.1 }, Part { x: b.0, y: b.1 }));
    let along_y = rows.into_iter().map(|(a, b)| (Part { x: a.1, y: a.0 }, Part { x: b.1, y: b.0 }));
    along_x.chain(along_y)
}

/// The lines that hold anything, and the hull of what they hold.
type Hull = (Extent, Extent);

/// The hulls before and after every cut between the lines `along`, of what they hold within `across`.
fn hulls(lines: &Lines, along: Extent, across: Extent) -> Vec<(Hull, Hull)> {
    let hull = |i| Some(((i, i + 1), lines.extent(i, across)?));
    let join = |a: Option<Hull>, b: Option<Hull>| match (a, b) {
        (Some(a), Some(b)) => Some((joined(a.0, b.0), joined(a.1, b.1))),
        (a, b) => a.or(b),
    };
    let single: Vec<_> = (along.0..along.1).map(hull).collect();
    let grow = |sum: &mut Option<Hull>, line: &Option<Hull>| {
        *sum = join(*sum, *line);
        Some(*sum)
    };
    let before = single.iter().scan(None, grow);
    let mut after: Vec<_> = single.iter().rev().scan(None, grow).collect();
    after.reverse();
    before.zip(after.into_iter().skip(1)).filter_map(|(a, b)| a.zip(b)).collect()
}

fn joined(a: Extent, b: Extent) -> Extent {
    (a.0.min(b.0), a.1.max(b.1))
}

/// The smallest part of `part` that holds all of `region` in it; `None` where there is nothing.
fn trimmed(region: &Region, part: Part) -> Option<Part> {
    let hull = |lines: &Lines, along: Extent, across: Extent| {
        (along.0..along.1).filter_map(|i| lines.extent(i, across)).reduce(joined)
    };
    let x = hull(&region.rows, part.y, part.x)?;
    Some(Part { x, y: hull(&region.columns, x, part.y)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::geometry::{Rect, mirror};
    use crate::upscale::tile::TileRequest;
    use crate::upscale::{Ratio, Size};
    use proptest::prelude::*;

    fn requests() -> impl Strategy<Value = TileRequest> {
        let scale = prop::sample::select(vec![(1, 1), (2, 1), (3, 1), (3, 2), (4, 3)]);
        let alignment = prop::sample::select(vec![1usize, 1, 2, 4, 8]);
        let max = prop::option::of(20usize..90);
        (max, 0usize..8, 0usize..3, alignment, 0usize..30, scale).prop_map(
            |(max, halo, border, alignment, min_size, (num, den))| TileRequest {
                max_tile: max.map(|m| Size::new(m, m)),
                halo,
                border: border * 2 * den,
                alignment,
                min_size,
                fixed_width: None,
                fixed_height: None,
                scale: Ratio::new(num, den).unwrap(),
            },
        )
    }

    /// Random numbers for a frame, and the same with some small rectangles changed.
    fn frames(size: Size, spots: &[(usize, usize, usize)]) -> (Vec<u64>, Vec<u64>, ChangeMap) {
        let before: Vec<_> = (0..size.area() as u64).map(|i| (i + 1) * 0x9E37_79B9).collect();
        let (mut after, mut map) = (before.clone(), ChangeMap::none(size));
        for &(x, y, side) in spots {
            let (x, y) = (x % size.width, y % size.height);
            map.mark(Rect::new(x, y, side, side));
            for y in y..(y + side).min(size.height) {
                after[y * size.width..][x..(x + side).min(size.width)]
                    .iter_mut()
                    .for_each(|v| *v += 7);
            }
        }
        (before, after, map)
    }

    /// A network whose every output depends on all inputs within `halo`, on its place within the alignment, and on nothing else;
    /// beyond the tile it sees 0. One number for an input pixel stands for its share of the output.
    fn network(plan: &TilePlan, frame: &[u64], tile: Rect, request: &TileRequest) -> Vec<u64> {
        let input = |x: usize, y: usize| {
            let at = |i: usize, len| mirror(i as isize - plan.border as isize, len);
            let (x, y) = (at(x, plan.frame.width), at(y, plan.frame.height));
            frame[y * plan.frame.width + x]
        };
        let sums = |line: &[u64]| -> Vec<u64> {
            let around =
                |i: usize| i.saturating_sub(request.halo)..(i + request.halo + 1).min(line.len());
            let weight = |i: usize| (1 + i % request.alignment) as u64;
            (0..line.len())
                .map(|i| {
                    around(i).fold(0u64, |sum, j| sum.wrapping_add(line[j].wrapping_mul(weight(j))))
                })
                .collect()
        };
        let rows: Vec<_> = (0..tile.height)
            .map(|y| {
                sums(&(0..tile.width).map(|x| input(tile.x + x, tile.y + y)).collect::<Vec<_>>())
            })
            .collect();
        let columns: Vec<_> = (0..tile.width)
            .map(|x| sums(&rows.iter().map(|row| row[x]).collect::<Vec<_>>()))
            .collect();
        (0..tile.width * tile.height).map(|i| columns[i % tile.width][i / tile.width]).collect()
    }

    proptest! {
        #[test]
        fn patches_make_the_kept_output_that_of_the_whole_frame(
            (w, h) in (1usize..150, 1usize..110), request in requests(), steps in 1usize..6,
            spots in prop::collection::vec((0usize..150, 0usize..110, 1usize..20), 0..6),
        ) {
            let plan = TilePlan::new(Size::new(w, h), &request);
            let cover = Cover::new(&plan, request.alignment, request.halo, 0, steps);
            let (before, after, map) = frames(plan.frame, &spots);
            let Work::Patches(patches) = cover.work(&map) else { return Ok(()) };
            prop_assert_eq!(patches.is_empty(), map.is_empty());

            let whole = Rect::new(0, 0, plan.x.padded, plan.y.padded);
            let mut kept = network(&plan, &before, whole, &request);
            for patch in &patches {
                let rect = patch.rect();
                prop_assert!(cover.shapes().any(|shape| shape == patch.size));
                prop_assert!(rect.x + rect.width <= whole.width && rect.y + rect.height <= whole.height);
                for span in [patch.x, patch.y] {
                    prop_assert_eq!(span.start % request.alignment, 0);
                    prop_assert!(plan.scale.exactly(span.start).is_some());
                    prop_assert!(span.own_start >= span.start);
                }
                let inferred = network(&plan, &after, rect, &request);
                for y in patch.y.own_start..patch.y.own_end {
                    for x in patch.x.own_start..patch.x.own_end {
                        kept[y * whole.width + x] = inferred[(y - rect.y) * rect.width + x - rect.x];
                    }
                }
            }
            let wanted = network(&plan, &after, whole, &request);
            for y in plan.border..plan.border + h {
                let row = y * whole.width + plan.border..y * whole.width + plan.border + w;
                prop_assert_eq!(&kept[row.clone()], &wanted[row], "row {} of {:?}", y, patches);
            }
        }

        #[test]
        fn a_cover_is_worth_its_while(
            (w, h) in (200usize..500, 200usize..400), halo in 0usize..20, steps in 1usize..9,
            spots in prop::collection::vec((0usize..500, 0usize..400, 1usize..90), 0..12),
        ) {
            let request = TileRequest {
                max_tile: None, halo, border: 4, alignment: 1, min_size: 1,
                fixed_width: None, fixed_height: None, scale: Ratio::ONE,
            };
            let plan = TilePlan::new(Size::new(w, h), &request);
            let cover = Cover::new(&plan, 1, halo, 4, steps);
            let (.., map) = frames(plan.frame, &spots);
            if let Work::Patches(patches) = cover.work(&map) {
                let pixels: usize = patches.iter().map(|patch| patch.size.area()).sum();
                prop_assert!(pixels < plan.tile_size().area());
            }
            prop_assert_eq!(cover.work(&ChangeMap::all(plan.frame)), Work::Whole);
        }
    }

    #[test]
    fn a_single_change_takes_the_smallest_patch() {
        let request = TileRequest {
            max_tile: None,
            halo: 19,
            border: 4,
            alignment: 1,
            min_size: 1,
            fixed_width: None,
            fixed_height: None,
            scale: Ratio::whole(2).unwrap(),
        };
        let plan = TilePlan::new(Size::new(640, 360), &request);
        let cover = Cover::new(&plan, 1, 19, 4, 5);
        let mut map = ChangeMap::none(plan.frame);
        map.mark(Rect::new(320, 160, 1, 1));
        let Work::Patches(patches) = cover.work(&map) else {
            panic!("one block is not the whole frame")
        };
        // 8 px, 4 of chroma and 19 of halo on both sides, in cells of 4 px, and 19 of context.
        let sizes: Vec<_> = patches.iter().map(|patch| patch.size).collect();
        assert_eq!(sizes, [Size::new(94, 94)]);
        let target = patches[0].target(&plan);
        assert_eq!(target.rect, Rect::new(592, 272, 112, 112));
        assert_eq!((target.left, target.top), (38, 38));
    }
}
