//! Troubles: what happens to the server under torture, one after the other, besides being killed.

use super::{Findings, Torture};
use crate::faulty::{Control, Script, bytes_in};
use crate::server::Server;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Something that happens to the server. All that [need it](Trouble::needs_faulty_server) happen in the program
/// `faulty-server`, which has the troubles of its disk and its clock built in.
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
    /// Its clock is set back by so many milliseconds while it runs: time stands still until the clock has caught up.
    SetBackBy(u64),
    /// It is killed, and finds its clock set back by so many milliseconds when it begins again. After half a second somebody
    /// puts the clock right: what was planned for a time that has not come again would else wait for it.
    SetBackBetweenLives(u64),
    /// The file system that its folder is on is filled to the last byte, for so many milliseconds. To be used only on a small
    /// one of its own.
    FillFor(u64),
    /// Another process of the same program is started on its folder.
    SecondProcess,
    /// It stands still for so many milliseconds.
    StopFor(u64),
    /// It is killed after so many milliseconds.
    KillAfter(u64),
}

impl Trouble {
    /// True if the program that users run cannot have it.
    #[must_use]
    pub fn needs_faulty_server(self) -> bool {
        !matches!(
            self,
            Self::StopFor(_) | Self::KillAfter(_) | Self::SecondProcess | Self::FillFor(_)
        )
    }
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
                    move_clock(&mut control, server, ms as i64).await;
                    continue;
                }
                Trouble::SetBackBy(ms) => {
                    move_clock(&mut control, server, -(ms as i64)).await;
                    continue;
                }
                Trouble::SetBackBetweenLives(ms) => {
                    server.kill();
                    move_clock(&mut control, server, -(ms as i64)).await;
                    server.start();
                    pass(500).await;
                    move_clock(&mut control, server, ms as i64).await;
                    continue;
                }
                Trouble::FillFor(ms) => {
                    let ballast = server.data().with_extension("ballast");
                    fill(&ballast).expect("a file beside the data");
                    pass(ms).await;
                    std::fs::remove_file(&ballast).expect("it is there");
                    continue;
                }
                Trouble::SecondProcess => {
                    if let Some(wrong) = second_process(server).await {
                        found.violations.push(wrong);
                    }
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

/// Moves the clock of a `faulty-server`.
async fn move_clock(control: &mut Control, server: &Server, ms: i64) {
    control.ahead_ms += ms;
    control
        .write(server.data())
        .expect("a file beside the data");
    pass(200).await;
}

/// Writes a file until there is no space for one more byte.
fn fill(ballast: &Path) -> io::Result<()> {
    let mut file = std::fs::File::create(ballast)?;
    for block in [&[1; 64 << 10][..], &[1; 512], &[1]] {
        loop {
            match file.write_all(block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Starts another process on the folder, at a port of its own choice. It must be refused; what it does else is returned.
async fn second_process(server: &Server) -> Option<String> {
    let data = server.data().to_path_buf();
    let mut second = Command::new(server.program());
    second
        .args(["server", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .stdin(Stdio::null());
    let ended = tokio::task::spawn_blocking(move || second.output()).await;
    let ended = ended
        .expect("it does not panic")
        .expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    let is_refused = ended.status.code() == Some(1) && said.contains("TL0040");
    (!is_refused).then(|| format!("a second process ended with {}: {said}", ended.status))
}

async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}
