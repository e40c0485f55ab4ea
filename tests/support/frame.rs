//! Frames that own their memory.

use gstkizuna::upscale::format::Component;
use gstkizuna::upscale::{
    ColorSpec, FrameError, FrameView, FrameViewMut, Picture, PixelFormat, Size, encode,
};

/// A frame of zeros with `slack` bytes behind each row.
#[derive(Clone)]
pub struct Frame {
    pub format: PixelFormat,
    pub size: Size,
    planes: Vec<Vec<u8>>,
    strides: Vec<usize>,
}

impl Frame {
    pub fn new(format: PixelFormat, size: Size, slack: usize) -> Self {
        let planes = 0..format.info().planes;
        let strides: Vec<_> = planes.clone().map(|p| format.row_bytes(p, size) + slack).collect();
        let planes =
            planes.map(|p| vec![0; strides[p] * format.plane_size(p, size).height]).collect();
        Self { format, size, planes, strides }
    }

    /// A frame out of raw video, plane after plane without gaps.
    pub fn from_raw(format: PixelFormat, size: Size, mut raw: &[u8]) -> Self {
        let mut frame = Self::new(format, size, 0);
        for plane in &mut frame.planes {
            let (head, tail) = raw.split_at(plane.len());
            plane.copy_from_slice(head);
            raw = tail;
        }
        frame
    }

    pub fn view(&self) -> FrameView<'_> {
        let planes: Vec<_> = self.planes.iter().map(|p| &p[..]).collect();
        FrameView::new(self.format, self.size, &planes, &self.strides).unwrap()
    }

    pub fn encode(&mut self, picture: &Picture, spec: &ColorSpec) -> Result<(), FrameError> {
        self.write(|view| encode(picture, spec, view))
    }

    /// Lets `work` write into it.
    pub fn write<T>(&mut self, work: impl FnOnce(&mut FrameViewMut) -> T) -> T {
        let planes = self.planes.iter_mut().map(|p| &mut p[..]).collect();
        work(&mut FrameViewMut::new(self.format, self.size, planes, &self.strides).unwrap())
    }

    /// Sets every sample of a component to what `code` says for its column and row.
    pub fn fill(&mut self, at: &Component, mut code: impl FnMut(usize, usize) -> u32) {
        self.map(at, |x, y, _| code(x, y));
    }

    /// Sets every sample of a component to what `code` makes of its column, its row and itself.
    pub fn map(&mut self, at: &Component, mut code: impl FnMut(usize, usize, u32) -> u32) {
        let info = self.format.info();
        let size = self.format.plane_size(at.plane, self.size);
        for y in 0..size.height {
            for x in 0..size.width / at.step {
                let first = (x * at.step + at.offset) * info.sample_bytes;
                let first = y * self.strides[at.plane] + first;
                let bytes = &mut self.planes[at.plane][first..][..info.sample_bytes];
                let mut word = [0; 2];
                word[..bytes.len()].copy_from_slice(bytes);
                let before = u32::from(u16::from_le_bytes(word) >> info.shift);
                let sample = (code(x, y, before) << info.shift) as u16;
                bytes.copy_from_slice(&sample.to_le_bytes()[..info.sample_bytes]);
            }
        }
    }

    /// All rows of all planes, without what lies behind them.
    pub fn rows(&self) -> Vec<Vec<u8>> {
        let view = self.view();
        let planes = 0..self.format.info().planes;
        let rows = |p| 0..self.format.plane_size(p, self.size).height;
        planes
            .flat_map(|p| rows(p).map(move |y| (p, y)))
            .map(|(p, y)| view.row(p, y).to_vec())
            .collect()
    }

    /// Raw video, plane after plane without gaps.
    pub fn raw(&self) -> Vec<u8> {
        self.rows().concat()
    }

    /// All samples, in the order of [`Self::raw`].
    pub fn codes(&self) -> Vec<i32> {
        let raw = self.raw();
        if self.format.info().sample_bytes == 1 {
            return raw.into_iter().map(i32::from).collect();
        }
        raw.chunks_exact(2).map(|b| i32::from(u16::from_le_bytes([b[0], b[1]]))).collect()
    }
}
