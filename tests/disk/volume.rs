//! File systems of one test: an ext4 image that can lose power, or a small tmpfs.

use rustix::ioctl::{Setter, ioctl, opcode};
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::poll;

/// A mounted file system; unmounted at the end of the test, also of one that panics.
#[derive(Debug)]
pub struct Volume {
    pub at: PathBuf,
    image: Option<PathBuf>,
    options: String,
}

/// Nothing reaches the disk by chance: no commit of the journal for ten minutes, no allocation because of a rename.
const LAZY: &str = "loop,commit=600,noauto_da_alloc,errors=remount-ro";

impl Volume {
    /// Mounts an image that is there already.
    pub fn of_image(at: &Path, image: PathBuf) -> Volume {
        std::fs::create_dir_all(at).unwrap();
        let volume = Volume {
            at: at.to_owned(),
            image: Some(image),
            options: LAZY.to_owned(),
        };
        volume.mount();
        volume
    }

    /// The same filesystem, mounted a second time.
    pub fn bind(at: &Path, from: &Path) -> Volume {
        std::fs::create_dir_all(at).unwrap();
        let volume = Volume {
            at: at.to_owned(),
            image: Some(from.to_owned()),
            options: "bind".to_owned(),
        };
        volume.mount();
        volume
    }

    pub fn tmpfs(at: &Path, options: &str) -> Volume {
        std::fs::create_dir_all(at).unwrap();
        let volume = Volume {
            at: at.to_owned(),
            image: None,
            options: options.to_owned(),
        };
        volume.mount();
        volume
    }

    fn mount(&self) {
        let options = OsStr::new(&self.options);
        match &self.image {
            Some(image) => run(
                "mount",
                &[
                    "-t".as_ref(),
                    "ext4".as_ref(),
                    "-o".as_ref(),
                    options,
                    image.as_ref(),
                    self.at.as_ref(),
                ],
            ),
            None => run(
                "mount",
                &[
                    "-t".as_ref(),
                    "tmpfs".as_ref(),
                    "-o".as_ref(),
                    options,
                    "tmpfs".as_ref(),
                    self.at.as_ref(),
                ],
            ),
        }
    }

    /// The power goes and comes back: what was not made durable is gone, whoever still has files open.
    pub fn cut(&self) {
        shut_down(&File::open(&self.at).unwrap());
        self.unmount();
        self.mount();
    }

    /// A child that another thread is about to start may still hold our descriptors.
    fn unmount(&self) {
        poll("a file system to be free", || {
            let umount = Command::new("umount")
                .arg(&self.at)
                .stderr(Stdio::null())
                .status();
            umount.unwrap().success().then_some(())
        });
    }

    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        run("mount", &["-o".as_ref(), options.as_ref(), self.at.as_ref()]);
    }

    /// Writes a file until nothing more fits, but for so many bytes.
    pub fn fill(&self, leave: u64) -> PathBuf {
        let path = self.at.join("ballast");
        let mut file = File::create(&path).unwrap();
        for size in [1 << 20, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        let full = file.metadata().unwrap().len();
        file.set_len(full.saturating_sub(leave)).unwrap();
        path
    }

    /// As the kernel does after an error that it can't work around: nothing more is taken, whoever has files open.
    pub fn turn_read_only(&self) {
        let device = findmnt(&self.at);
        let name = device.rsplit('/').next().unwrap();
        std::fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "a test").unwrap();
    }

    /// Leaves the image behind, clean, for others to copy.
    pub fn into_image(self) -> PathBuf {
        self.unmount();
        self.image.clone().unwrap()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a run that hangs must not keep it. One that is not mounted any more is none of our concern.
        let _ = Command::new("umount")
            .arg("-l")
            .arg(&self.at)
            .stderr(Stdio::null())
            .status();
    }
}

/// The device that is mounted at a path.
fn findmnt(at: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let line = mounts.lines().find(|line| line.split(' ').nth(1) == at.to_str());
    line.unwrap().split(' ').next().unwrap().to_owned()
}

/// Makes an ext4 image with room for many small files.
pub fn make_image(image: &Path, size_mb: u32) {
    File::create(image)
        .unwrap()
        .set_len(u64::from(size_mb) << 20)
        .unwrap();
    run(
        "mkfs.ext4",
        &[
            "-q".as_ref(),
            "-F".as_ref(),
            "-b".as_ref(),
            "1024".as_ref(),
            "-N".as_ref(),
            "4096".as_ref(),
            "-J".as_ref(),
            "size=4".as_ref(),
            image.as_ref(),
        ],
    );
}

/// Copies what of an image is in use.
pub fn copy_image(from: &Path, to: &Path) {
    run("cp", &["--sparse=always".as_ref(), from.as_ref(), to.as_ref()]);
}

/// EXT4_IOC_SHUTDOWN without flushing the log: the file system writes nothing more, as after a power cut.
#[allow(unsafe_code, reason = "an ioctl")]
fn shut_down(file: &File) {
    const EXT4_IOC_SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
    const NO_LOG_FLUSH: u32 = 2;
    // SAFETY: the kernel reads one u32 from a pointer that is valid for the time of the call.
    unsafe { ioctl(file, Setter::<EXT4_IOC_SHUTDOWN, u32>::new(NO_LOG_FLUSH)) }.unwrap();
}

fn run(program: &str, arguments: &[&OsStr]) {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; these tests need it"));
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}\nThese tests mount file systems of their own: run them as root, where loop devices are",
        String::from_utf8_lossy(&output.stderr)
    );
}
