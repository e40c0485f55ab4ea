//! Debian's packages.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress;

/// Names, one a line, with comments.
const LIST: &str = include_str!("../../packages.txt");

/// Installs the packages that are not there.
///
/// # Errors
/// If packages are missing and cannot be installed; the message holds the command to give.
pub fn install() -> Result<()> {
    let Some(installed) = installed() else {
        eprintln!(
            "  system packages: dpkg-query was not found, so nothing is installed. \
             Please install what your system calls these: {}",
            names().collect::<Vec<_>>().join(" ")
        );
        return Ok(());
    };
    let missing: Vec<&str> = names().filter(|name| !installed.contains(*name)).collect();
    if missing.is_empty() {
        eprintln!("  system packages: all {} are here", names().count());
        return Ok(());
    }
    let by_hand = format!("apt-get update && apt-get install {}", missing.join(" "));
    let install = || -> Result<()> {
        update()?;
        let arguments =
            [["install", "--yes", "--no-install-recommends"].as_slice(), &missing].concat();
        progress::run(apt(&arguments)?, &format!("apt-get install {}", missing.join(" ")))
    };
    install().with_context(|| {
        format!(
            "system packages are missing and could not be installed. Give this command as root, then try again: {by_hand}"
        )
    })
}

/// Renews the lists of packages.
///
/// # Errors
/// If there is no network, or no right to do so.
pub fn update() -> Result<()> {
    progress::run(apt(&["update"])?, "apt-get update")
}

fn names() -> impl Iterator<Item = &'static str> {
    LIST.lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|name| !name.is_empty())
}

/// Which of the packages are installed; none where this is no Debian.
fn installed() -> Option<BTreeSet<String>> {
    // dpkg-query fails where one name is unknown, but still lists the others.
    let query = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(names())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&query.stdout);
    Some(
        text.lines()
            .filter_map(|line| line.strip_suffix(" installed"))
            .map(str::to_owned)
            .collect(),
    )
}

/// `apt-get` with the rights to install.
fn apt(arguments: &[&str]) -> Result<Command> {
    const QUIET: &str = "DEBIAN_FRONTEND=noninteractive";
    let mut command = Command::new("env");
    if !is_root()? {
        // Asks for the password now: while apt-get runs, nobody could see the question.
        let allowed = Command::new("sudo").arg("--validate").status().is_ok_and(|s| s.success());
        if !allowed {
            bail!("this needs root, and sudo refused or is not there");
        }
        command = Command::new("sudo");
        command.arg("env");
    }
    command.args([QUIET, "apt-get"]).args(arguments);
    Ok(command)
}

/// Whether nobody has to be asked for rights.
pub fn is_root() -> Result<bool> {
    let id = Command::new("id").arg("-u").output().context("cannot start id")?;
    Ok(id.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_debian_names() {
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
        assert!(names().count() > 10);
        assert!(names().all(|name| name.chars().all(legal)));
    }
}
