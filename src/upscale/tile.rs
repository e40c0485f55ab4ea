//! Where tiles lie, and who owns which pixel.
//!
//! A frame is first grown by its border (its own mirror image) and padded, right and bottom, to what the network accepts.
//! That padded frame is cut into tiles of **one** shape, so that engines compile and allocate once:
//!
//! ```text
//!  padded frame  |============================================|
//!  tile 0        |-----------------~~~~|                          ~ halo: context that is computed and thrown away
//!  tile 1                     |~~~~---------------~~~~|
//!  tile 2                                      |~~~~----------|
//!  owned         |················|·················|··········|   every pixel once
//! ```
//!
//! The outer tiles touch the frame's outer edge, so that the network's own padding falls where it would without tiles. Every
//! owned pixel that is not at the outer edge has at least `halo` pixels of context inside its tile; where the halo is the
//! network's receptive radius, a tile's result is the whole frame's result. Tiles begin at multiples of the alignment,
//! because a network with strides gives the same result only on the same grid.

use super::geometry::{Ratio, Rect, Size, align_up};

/// What the network and the settings ask of a plan. All lengths in input pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRequest {
    /// Largest tile, halo included; `None` is the whole frame. Raised where the network needs more.
    pub max_tile: Option<Size>,
    /// Context around what a tile owns.
    pub halo: usize,
    /// Mirrored border around the frame.
    pub border: usize,
    /// Sizes must be multiples of this (at least 1).
    pub alignment: usize,
    /// Smallest side that the network takes.
    pub min_size: usize,
    /// The width that the network fixes, if it does.
    pub fixed_width: Option<usize>,
    /// The height that it fixes, if it does.
    pub fixed_height: Option<usize>,
    /// The network's scale.
    pub scale: Ratio,
}

/// One tile's place on one axis of the padded frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First pixel of the tile.
    pub start: usize,
    /// First pixel that it owns.
    pub own_start: usize,
    /// One past the last pixel that it owns.
    pub own_end: usize,
}

/// The tiles of one axis: all of one length, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// Length of every tile.
    pub tile: usize,
    /// Length of the padded frame.
    pub padded: usize,
    /// Context that every tile has: as requested, less where a network of fixed size is too small for it.
    pub halo: usize,
    /// The shortest tile that the network and its halo allow.
    pub shortest: usize,
    /// Their places.
    pub spans: Vec<Span>,
}

/// Where all tiles of a frame lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TilePlan {
    /// The frame.
    pub frame: Size,
    /// Mirrored border around it.
    pub border: usize,
    /// The network's scale.
    pub scale: Ratio,
    /// Columns of tiles.
    pub x: Axis,
    /// Rows of tiles.
    pub y: Axis,
}

/// One tile: a place on each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Index of its column.
    pub column: usize,
    /// Index of its row.
    pub row: usize,
    /// Place on the horizontal axis.
    pub x: Span,
    /// Place on the vertical axis.
    pub y: Span,
}

impl TilePlan {
    /// Plans the tiles of a `frame` (at least 1x1).
    pub fn new(frame: Size, request: &TileRequest) -> Self {
        let axis = |len: usize, max: Option<usize>, fixed: Option<usize>| {
            Axis::new(len + 2 * request.border, max, fixed, request)
        };
        Self {
            frame,
            border: request.border,
            scale: request.scale,
            x: axis(frame.width, request.max_tile.map(|t| t.width), request.fixed_width),
            y: axis(frame.height, request.max_tile.map(|t| t.height), request.fixed_height),
        }
    }

    /// The one shape of all tiles, in input pixels.
    pub fn tile_size(&self) -> Size {
        Size::new(self.x.tile, self.y.tile)
    }

    /// Whether smaller tiles would do.
    pub fn can_shrink(&self) -> bool {
        self.x.tile > self.x.shortest || self.y.tile > self.y.shortest
    }

    /// Size of the upscaled frame.
    pub fn output_size(&self) -> Size {
        self.frame.scaled(self.scale)
    }

    /// Number of tiles.
    pub fn len(&self) -> usize {
        self.x.spans.len() * self.y.spans.len()
    }

    /// Whether there is no tile; never true.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All tiles, row by row.
    pub fn tiles(&self) -> impl Iterator<Item = Tile> + '_ {
        self.y.spans.iter().enumerate().flat_map(move |(row, &y)| {
            self.x.spans.iter().enumerate().map(move |(column, &x)| Tile { column, row, x, y })
        })
    }

    /// What `tile` covers of the padded frame, in input pixels.
    pub fn rect(&self, tile: &Tile) -> Rect {
        Rect::new(tile.x.start, tile.y.start, self.x.tile, self.y.tile)
    }
}

impl Axis {
    /// `len` is the frame's length with its border.
    fn new(
        len: usize,
        max_tile: Option<usize>,
        fixed: Option<usize>,
        request: &TileRequest,
    ) -> Self {
        // Cuts and tiles lie at multiples of the scale's denominator, so that they are whole output pixels.
        let den = request.scale.den();
        let (unit, halo) = (lcm(request.alignment.max(1), den), align_up(request.halo, den));
        let shortest = align_up((2 * halo + unit).max(request.min_size), unit);
        let grid = Grid { unit, den, halo, shortest };
        let padded = align_up(len.max(request.min_size), grid.unit);
        if let Some(tile) = fixed {
            // The network knows one size, which may be too small for the halo.
            let halo = grid.halo.min(tile.saturating_sub(grid.unit) / 2 / den * den);
            return Grid { halo, shortest: tile, ..grid }.axis(padded.max(tile), tile);
        }
        let shortest = grid.shortest;
        let max = max_tile.map_or(padded, |t| (t / grid.unit * grid.unit).max(shortest));
        if max >= padded {
            return grid.axis(padded, padded);
        }
        // Even split: the shortest tile that does with as many.
        let count = grid.count(padded, max);
        let mut tile = max;
        while tile - grid.unit >= shortest && grid.count(padded, tile - grid.unit) == count {
            tile -= grid.unit;
        }
        grid.axis(padded, tile)
    }
}

/// Where tiles may begin and be cut.
#[derive(Clone, Copy)]
struct Grid {
    /// Tiles begin at multiples of this; a multiple of `den`.
    unit: usize,
    /// Cuts lie at multiples of this.
    den: usize,
    /// Context around what a tile owns; a multiple of `den`.
    halo: usize,
    /// The shortest tile.
    shortest: usize,
}

impl Grid {
    /// Tiles of length `tile` that cover `padded`, neighbours sharing at least twice the halo.
    fn count(self, padded: usize, tile: usize) -> usize {
        let step = tile.saturating_sub(2 * self.halo) / self.unit * self.unit;
        1 + padded.saturating_sub(tile).div_ceil(step.max(self.unit))
    }

    /// Spreads tiles of length `tile` evenly over `padded` and cuts in the middle of what neighbours share.
    fn axis(self, padded: usize, tile: usize) -> Axis {
        let count = self.count(padded, tile);
        let slack = (padded - tile) / self.unit;
        let start = |i: usize| if count == 1 { 0 } else { i * slack / (count - 1) * self.unit };
        let cut = |i: usize| start(i) + (start(i - 1) + tile - start(i)) / 2 / self.den * self.den;
        let spans = (0..count)
            .map(|i| Span {
                start: start(i),
                own_start: if i == 0 { 0 } else { cut(i) },
                own_end: if i + 1 == count { padded } else { cut(i + 1) },
            })
            .collect();
        Axis { tile, padded, halo: self.halo, shortest: self.shortest, spans }
    }
}

/// The least common multiple of two numbers that are not 0.
pub(super) const fn lcm(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn requests() -> impl Strategy<Value = TileRequest> {
        let scale = prop::sample::select(vec![(1, 1), (2, 1), (3, 1), (4, 1), (3, 2), (4, 3)]);
        let alignment = prop::sample::select(vec![1usize, 2, 4, 8, 16]);
        (prop::option::of(1usize..200), 0usize..40, 0usize..9, alignment, 0usize..40, scale)
            .prop_map(|(max, halo, border, alignment, min_size, (num, den))| TileRequest {
                max_tile: max.map(|m| Size::new(m, m)),
                halo,
                border,
                alignment,
                min_size,
                fixed_width: None,
                fixed_height: None,
                scale: Ratio::new(num, den).unwrap(),
            })
    }

    fn check(axis: &Axis, len: usize, request: &TileRequest) {
        let mut owned = 0;
        assert!(axis.padded >= len && axis.padded >= request.min_size);
        for (i, span) in axis.spans.iter().enumerate() {
            assert_eq!(span.own_start, owned, "every pixel is owned once");
            assert!(span.own_end > span.own_start, "every tile owns something");
            owned = span.own_end;
            assert_eq!(span.start % request.alignment, 0);
            assert_eq!(axis.tile % request.alignment, 0);
            assert!(
                request.scale.exactly(span.own_start).is_some()
                    && request.scale.exactly(span.start).is_some()
            );
            let end = span.start + axis.tile;
            assert!(end <= axis.padded);
            assert!(i == 0 || span.own_start - span.start >= request.halo, "context on the left");
            assert!(
                i + 1 == axis.spans.len() || end - span.own_end >= request.halo,
                "context on the right"
            );
        }
        assert_eq!(owned, axis.padded);
        assert_eq!(axis.spans[0].start, 0, "the first tile touches the edge");
        assert_eq!(
            axis.spans[axis.spans.len() - 1].start + axis.tile,
            axis.padded,
            "and so does the last"
        );
    }

    proptest! {
        #[test]
        fn every_pixel_is_owned_once_with_its_context(w in 1usize..700, h in 1usize..700, request in requests()) {
            let plan = TilePlan::new(Size::new(w, h), &request);
            check(&plan.x, w + 2 * request.border, &request);
            check(&plan.y, h + 2 * request.border, &request);
        }

        #[test]
        fn a_fixed_tile_keeps_its_size(len in 1usize..700, tile in 8usize..200, halo in 0usize..40) {
            let request = TileRequest {
                max_tile: None, halo, border: 4, alignment: 1, min_size: 1,
                fixed_width: Some(tile), fixed_height: Some(tile), scale: Ratio::ONE,
            };
            let plan = TilePlan::new(Size::new(len, len), &request);
            prop_assert_eq!(plan.tile_size(), Size::new(tile, tile));
            check(&plan.x, len + 8, &TileRequest { halo: plan.x.halo, ..request });
        }
    }

    #[test]
    fn tiles_are_even() {
        let request = TileRequest {
            max_tile: Some(Size::new(128, 128)),
            halo: 18,
            border: 4,
            alignment: 1,
            min_size: 1,
            fixed_width: None,
            fixed_height: None,
            scale: Ratio::whole(2).unwrap(),
        };
        let plan = TilePlan::new(Size::new(641, 361), &request);
        // 649 px in tiles of at most 128 that advance by at most 92: 7 tiles, for which steps of 88 and tiles of 124 do.
        assert_eq!((plan.x.spans.len(), plan.x.tile), (7, 124));
        assert_eq!(plan.output_size(), Size::new(1282, 722));
    }
}
