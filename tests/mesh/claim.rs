//! Claims of one world, one after another.

/// A claim that fails is the last one that was named.
macro_rules! claim {
    ($($claim:tt)*) => {{
        eprintln!("claim: {}", stringify!($($claim)*).split('(').next().unwrap());
        let began = std::time::Instant::now();
        $($claim)*;
        eprintln!("  held, {:?}", began.elapsed());
    }};
}
