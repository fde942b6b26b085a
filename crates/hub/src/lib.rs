//! The door to public model shelves.
