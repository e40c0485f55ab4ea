//! GStreamer, what it needs down to the loader, and Mesa, out of this system's packages.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::{archive, contents, elf};
use crate::deb;

/// What is taken, a line each.
const LIST: &str = include_str!("gstreamer.txt");

/// Which libraries libglvnd hands EGL to: a machine's NVIDIA driver, if there is one, then ours.
const VENDORS: [(&str, &str); 2] =
    [("10_nvidia", "libEGL_nvidia.so.0"), ("50_mesa", "libEGL_mesa.so.0")];

/// Files that come from this system, and where they go.
struct Taken<'a> {
    folder: &'a Path,
    origins: BTreeSet<PathBuf>,
}

/// Copies it all into `folder`, and returns the loader's path that programs have inside.
///
/// # Errors
/// If something is not installed, or its licence is not known.
pub fn gather(folder: &Path) -> Result<PathBuf> {
    let mut taken = Taken { folder, origins: BTreeSet::new() };
    for (kind, name) in entries()? {
        let (from, to) = place(kind, name)?;
        if kind == "folder" {
            taken.all_of(&from, &to)?;
        } else {
            taken.file(&from, &to)?;
        }
    }
    let interpreter = taken.libraries()?;
    for (name, library) in VENDORS {
        let path = folder.join("share/glvnd/egl_vendor.d").join(format!("{name}.json"));
        let text = format!(
            "{{\"file_format_version\": \"1.0.0\", \"ICD\": {{\"library_path\": \"{library}\"}}}}\n"
        );
        fs::create_dir_all(path.parent().unwrap_or(folder))
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    licences(&taken.origins, &folder.join("licences/system"))?;
    Ok(interpreter)
}

fn entries() -> Result<Vec<(&'static str, &'static str)>> {
    LIST.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (kind, name) =
                line.split_once(' ').with_context(|| format!("'{line}' in gstreamer.txt"))?;
            Ok((kind, name.trim()))
        })
        .collect()
}

/// Where an entry lies here, and in the bundle.
fn place(kind: &str, name: &str) -> Result<(PathBuf, PathBuf)> {
    let of_gstreamer = |variable: &str| -> Result<PathBuf> {
        let option = format!("--variable={variable}");
        Ok(deb::output("pkg-config", &[&option, "gstreamer-1.0"])?.into())
    };
    Ok(match kind {
        "program" => (of_gstreamer("toolsdir")?.join(name), Path::new("bin").join(name)),
        "scanner" => (of_gstreamer("pluginscannerdir")?.join(name), Path::new("lib").join(name)),
        "plugin" => {
            let file = format!("libgst{name}.so");
            (of_gstreamer("pluginsdir")?.join(&file), Path::new("lib/gstreamer-1.0").join(file))
        }
        "library" | "folder" => (of_gstreamer("libdir")?.join(name), Path::new("lib").join(name)),
        _ => bail!("'{kind} {name}' in gstreamer.txt is of no known kind"),
    })
}

impl Taken<'_> {
    fn file(&mut self, from: &Path, to: &Path) -> Result<()> {
        let origin = from.canonicalize().with_context(|| {
            format!(
                "{} is not here; `cargo xtask setup` installs what a bundle is made of",
                from.display()
            )
        })?;
        contents::copy(&origin, &self.folder.join(to))?;
        self.origins.insert(origin);
        Ok(())
    }

    /// All files of a folder. One file under several names, as Mesa's drivers are, is copied once.
    fn all_of(&mut self, from: &Path, to: &Path) -> Result<()> {
        let mut first = BTreeMap::new();
        for path in archive::files(from)? {
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let to = to.join(path.strip_prefix(from).unwrap_or(&path));
            if !metadata.is_file() {
                continue;
            }
            let Some(before) = first.insert((metadata.dev(), metadata.ino()), to.clone()) else {
                self.file(&path, &to)?;
                continue;
            };
            ensure!(before.parent() == to.parent(), "{} is in two folders", path.display());
            let target = before.file_name().unwrap_or_default();
            std::os::unix::fs::symlink(target, self.folder.join(&to))
                .with_context(|| format!("cannot make a link {}", to.display()))?;
            first.insert((metadata.dev(), metadata.ino()), before);
        }
        Ok(())
    }

    /// Every library that something in the bundle is linked to, and the loader.
    fn libraries(&mut self) -> Result<PathBuf> {
        let runtimes = self.folder.join("runtimes");
        let files = elf::only(archive::files(self.folder)?);
        let needs = elf::needs(&files, &runtimes.join("cuda"))?;
        for (name, path) in &needs.found {
            if !path.starts_with(self.folder) {
                self.file(path, &library(name))?;
            }
        }
        for (name, file) in &needs.missing {
            // A device's driver, or CUDA without --cuda: the machine may have it.
            let is_runtime = file.starts_with(&runtimes);
            ensure!(is_runtime, "{} needs {name}, which is nowhere", file.display());
            let wanting = file.file_name().unwrap_or_default().display();
            eprintln!("  {name} is left to the machine ({wanting})");
        }
        let interpreter = needs.interpreter.context("ldd names no loader; is this glibc?")?;
        let name = interpreter.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.file(&interpreter, &library(&name))?;
        Ok(interpreter)
    }
}

/// glibc has a folder of its own, so that run.sh can do without it.
fn library(name: &str) -> PathBuf {
    Path::new(if elf::is_glibc(name) { "lib/glibc" } else { "lib" }).join(name)
}

/// Writes the copyright file of every package that files are from, the texts that these name, and a list of packages.
fn licences(origins: &BTreeSet<PathBuf>, folder: &Path) -> Result<()> {
    let packages = packages(origins)?;
    let mut list = String::from(
        "Debian's packages that files here are from, and those of their sources.\n\
         `apt-get source SOURCE=VERSION` brings the sources.\n\npackage version source version\n",
    );
    for package in &packages {
        let format = "--showformat=${Package} ${Version} ${source:Package} ${source:Version}";
        writeln!(list, "{}", deb::output("dpkg-query", &["--show", format, package])?)?;
        let name = package.split(':').next().unwrap_or(package);
        let from = Path::new("/usr/share/doc").join(name).join("copyright");
        contents::copy(&from, &folder.join("packages").join(name))?;
    }
    fs::write(folder.join("packages.txt"), list)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    contents::copy_folder(Path::new("/usr/share/common-licenses"), &folder.join("common-licenses"))
}

/// The packages that files are from.
fn packages(origins: &BTreeSet<PathBuf>) -> Result<BTreeSet<String>> {
    // dpkg knows a file by the path that its package gave: with or without /usr, which are the same place today.
    let spellings = |path: &Path| {
        let short = Path::new("/").join(path.strip_prefix("/usr").unwrap_or(path));
        [path.to_owned(), short]
    };
    let said = Command::new("dpkg-query")
        .arg("--search")
        .args(origins.iter().flat_map(|path| spellings(path)))
        .output()
        .context("cannot start dpkg-query: GStreamer is taken from Debian's packages, which say its licences")?;
    let said = String::from_utf8_lossy(&said.stdout);
    let owners: BTreeMap<&Path, &str> = said
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(packages, path)| (Path::new(path), packages))
        .collect();
    let mut packages = BTreeSet::new();
    for origin in origins {
        let found = spellings(origin).iter().find_map(|path| owners.get(path.as_path()));
        let found = found.with_context(|| {
            format!("{} is of no Debian package, so its licence is not known", origin.display())
        })?;
        packages.extend(found.split(", ").map(str::to_owned));
    }
    Ok(packages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_has_a_place_and_is_there_once() {
        let entries = entries().unwrap();
        assert!(entries.len() > 50);
        let names: BTreeSet<_> = entries.iter().collect();
        assert_eq!(names.len(), entries.len());
        for (kind, name) in entries {
            let (from, to) = place(kind, name).unwrap();
            assert!(from.exists(), "{} for {}", from.display(), to.display());
        }
    }
}
