//! The engine inside a program, without a server: counts how often each word of standard input was ever seen.
//!
//! ```console
//! $ echo "the cat and the dog" | cargo run --example embedded -- /tmp/words
//! the 2
//! and 1
//! cat 1
//! dog 1
//! $ echo "the dog" | cargo run --example embedded -- /tmp/words
//! the 3
//! dog 2
//! and 1
//! cat 1
//! ```
//!
//! What it counted is in the directory's append-only log, which `ringfort --dir /tmp/words --appendonly yes` serves.

use std::error::Error;
use std::io::Read;

use ringfort::embedded::Embedded;
use ringfort::remote::Pipeline;

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: embedded DIRECTORY < TEXT")?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut data = Embedded::open(directory)?;
    let mut pipeline = Pipeline::new();
    for word in text.split_whitespace() {
        pipeline.command(&["ZINCRBY", "words", "1", word]);
    }
    // One sync for all of them.
    data.pipeline(&pipeline)?;
    let best: Vec<String> = data.query(&["ZRANGE", "words", "0", "9", "REV", "WITHSCORES"])?;
    let mut lines: Vec<(&String, f64)> =
        best.chunks(2).map(|pair| (&pair[0], pair[1].parse().unwrap_or_default())).collect();
    lines.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
    for (word, count) in lines {
        println!("{word} {count}");
    }
    data.close()?;
    Ok(())
}
