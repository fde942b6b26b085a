//! Numbers about a voice, with error bars.
