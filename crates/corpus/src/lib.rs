//! From the world's text to examples worth learning.
