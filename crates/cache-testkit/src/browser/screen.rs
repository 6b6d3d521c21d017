//! What a page is shown on.

/// The size of a window, what kind of device it is on, and which colours its owner prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) is_phone: bool,
    pub(super) is_dark: bool,
}

impl Screen {
    /// 1280 by 900 pixels, light.
    pub fn desktop() -> Self {
        Self { width: 1280, height: 900, is_phone: false, is_dark: false }
    }

    /// 360 by 740 pixels, light.
    pub fn phone() -> Self {
        Self { width: 360, height: 740, is_phone: true, is_dark: false }
    }

    /// The same with dark colours.
    #[must_use]
    pub fn dark(mut self) -> Self {
        self.is_dark = true;
        self
    }
}
