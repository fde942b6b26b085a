//! Laws of plans and programs.
