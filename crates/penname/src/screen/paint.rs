//! Colour, where it is wanted and can be seen.

use std::io::IsTerminal;

/// The few ways text stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// What matters on a line.
    Bold,
    /// What matters less.
    Dim,
    /// An error.
    Red,
    /// A warning.
    Yellow,
    /// A claim that holds.
    Green,
    /// Trained text.
    Reverse,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "1;31",
            Self::Yellow => "33",
            Self::Green => "32",
            Self::Reverse => "7",
        }
    }
}

/// Whether one stream shows colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Colour on a terminal, unless `NO_COLOR` is set.
    pub(crate) fn of(stream: &impl IsTerminal, no_color: bool) -> Self {
        Self { on: !no_color && stream.is_terminal() }
    }

    /// Never any colour.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { on: false }
    }

    /// Whether there is colour.
    pub(crate) fn is_on(self) -> bool {
        self.on
    }

    /// The text in this ink.
    pub(crate) fn with(self, ink: Ink, text: &str) -> String {
        if self.on && !text.is_empty() {
            format!("\x1b[{}m{text}\x1b[0m", ink.code())
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_all_or_nothing() {
        assert_eq!(Paint { on: true }.with(Ink::Red, "x"), "\x1b[1;31mx\x1b[0m");
        assert_eq!(Paint { on: true }.with(Ink::Red, ""), "");
        assert_eq!(Paint::none().with(Ink::Red, "x"), "x");
    }
}
