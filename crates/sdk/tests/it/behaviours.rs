//! What workflow code can count on, one named behaviour each: `b6_several_methods_run_in_order` is behaviour B6. Each is
//! shown with futures kept between turns and with every turn replayed.

mod branches;
mod channels;
mod patches;
mod queries;
