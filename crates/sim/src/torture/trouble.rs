//! Troubles: what happens to the server under torture, one after the other, besides being killed.

use super::{Findings, Torture};
use crate::faulty::{Control, Script, bytes_in};
use crate::server::Server;
use std::time::Duration;

/// Something that happens to the server. All but the last two need the program `faulty-server`, which has the troubles of
/// its disk and its clock built in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// It dies before the disk operation with this number, or halfway through it if it is a write.
    DieAt(u64),
    /// The first sync from this disk operation on fails: it must stop, and say so.
    FailSyncFrom(u64),
    /// The first write from this disk operation on fails halfway: it must stop, and say so.
    FailWriteFrom(u64),
    /// For so many milliseconds there is next to no space on the disk.
    FullFor(u64),
    /// Its clock jumps ahead by so many milliseconds: less than an hour in all, after which runs give up waiting.
    JumpBy(u64),
    /// It stands still for so many milliseconds.
    StopFor(u64),
    /// It is killed after so many milliseconds.
    KillAfter(u64),
}

/// How long is waited for a trouble that ends the process. After that it is killed: it had less to do than was thought.
const END_MAX: Duration = Duration::from_secs(5);
/// Bytes that fit on a full disk.
const NEXT_TO_NOTHING: u64 = 50_000;

impl Torture {
    /// Lets all troubles happen. What was not as it should be is in the findings, and how often the server ended by itself.
    pub(super) async fn let_happen(self, server: &mut Server) -> Findings {
        let mut found = Findings::default();
        let mut control = Control::default();
        for trouble in self.troubles {
            let script = match *trouble {
                Trouble::DieAt(at) => Script {
                    die_at: Some(at),
                    ..Script::default()
                },
                Trouble::FailSyncFrom(at) => Script {
                    fail_sync_from: Some(at),
                    ..Script::default()
                },
                Trouble::FailWriteFrom(at) => Script {
                    fail_write_from: Some(at),
                    ..Script::default()
                },
                Trouble::FullFor(ms) => {
                    control.capacity = Some(bytes_in(server.data()) + NEXT_TO_NOTHING);
                    control
                        .write(server.data())
                        .expect("a file beside the data");
                    pass(ms).await;
                    control.capacity = None;
                    control
                        .write(server.data())
                        .expect("a file beside the data");
                    continue;
                }
                Trouble::JumpBy(ms) => {
                    control.ahead_ms += ms;
                    control
                        .write(server.data())
                        .expect("a file beside the data");
                    pass(200).await;
                    continue;
                }
                Trouble::StopFor(ms) => {
                    server.signal("STOP");
                    pass(ms).await;
                    server.signal("CONT");
                    pass(100).await;
                    continue;
                }
                Trouble::KillAfter(ms) => {
                    pass(ms).await;
                    server.kill();
                    server.start();
                    continue;
                }
            };
            server.kill();
            server.launch(script);
            if let Some((ended, log)) = server.await_end(END_MAX).await {
                found.ends += 1;
                let fails = script.die_at.is_none();
                // A failure is an end of its own making, with a message; a death is neither.
                let is_right = if fails {
                    ended.code() == Some(1) && log.contains("cannot")
                } else {
                    ended.code().is_none()
                };
                if !is_right {
                    found
                        .violations
                        .push(format!("{trouble:?}: the server ended with {ended}: {log}"));
                }
            } else {
                server.kill();
            }
            server.start();
            pass(100).await;
        }
        found
    }
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
