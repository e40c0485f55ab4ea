//! Where a runtime's shared library lies. Pure: it looks, and opens nothing.
//!
//! A library is only ever opened by its absolute path. By a bare name the loader would take whatever lies first on its own
//! path: Windows keeps an ONNX Runtime of its own, years old, in System32.

use std::cmp::Ordering;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{EngineError, EngineOptions};

/// A runtime that is opened at run time.
#[derive(Debug)]
pub(super) struct Runtime {
    /// Its name in messages.
    pub name: &'static str,
    /// Its library's name without prefix and suffix.
    stem: &'static str,
    /// Environment variable that may hold the library's path, or its folder.
    variable: &'static str,
    /// Its folder in a directory of [`EngineOptions::search`].
    folder: &'static str,
    /// The package on PyPI that carries the library.
    package: &'static str,
}

/// ONNX Runtime.
pub(super) static ONNX_RUNTIME: Runtime = Runtime {
    name: "ONNX Runtime",
    stem: "onnxruntime",
    variable: "ORT_DYLIB_PATH",
    folder: "runtimes/onnxruntime",
    package: "onnxruntime",
};

/// OpenVINO's C API.
pub(super) static OPENVINO: Runtime = Runtime {
    name: "OpenVINO",
    stem: "openvino_c",
    variable: "OPENVINO_LIB",
    folder: "runtimes/openvino",
    package: "openvino",
};

impl Runtime {
    /// The library's absolute path: from `runtime-library`, the environment, `options.search`, or the system, in this order.
    ///
    /// # Errors
    /// [`EngineError::Library`]; it lists where was looked. A path that was given but does not exist is an error too,
    /// whatever lies elsewhere.
    pub fn find(&self, options: &EngineOptions) -> Result<PathBuf, EngineError> {
        self.find_with(options, |name| std::env::var_os(name))
    }

    fn find_with(
        &self,
        options: &EngineOptions,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<PathBuf, EngineError> {
        if let Some(path) = options.runtime_library.as_ref().filter(|path| !self.is_another(path)) {
            return self.given("runtime-library", path);
        }
        if let Some(path) = variable(self.variable).filter(|path| !path.is_empty()) {
            return self.given(self.variable, Path::new(&path));
        }
        // A folder of models has its runtimes in it or beside it.
        let beside = |dir: &PathBuf| {
            dir.parent().filter(|_| dir.ends_with("models")).map(|d| d.join(self.folder))
        };
        let near = options
            .search
            .iter()
            .flat_map(|dir| [Some(dir.clone()), Some(dir.join(self.folder)), beside(dir)])
            .flatten();
        let mut looked = Vec::new();
        for dir in near.chain(system_directories(&variable)) {
            if let Some(library) = self.newest_in(&dir) {
                return Ok(library);
            }
            looked.push(dir.display().to_string());
        }
        let cause = format!("there is no {} where runtimes are looked for", self.file_name());
        Err(self.missing_from(cause, &format!(". Looked in {}", looked.join(", "))))
    }

    /// The library at `path`, a file or a folder, that was `given` by a property or variable.
    fn given(&self, given: &str, path: &Path) -> Result<PathBuf, EngineError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if path.is_dir() {
            return self.newest_in(&path).ok_or_else(|| {
                self.missing(format!("{given}={} holds no {}", path.display(), self.file_name()))
            });
        }
        if path.is_file() {
            return Ok(path);
        }
        Err(self.missing(format!("{given}={} does not exist", path.display())))
    }

    /// What to say when the library cannot be found or opened.
    pub fn missing(&self, cause: String) -> EngineError {
        self.missing_from(cause, "")
    }

    /// [`Self::missing`], with where was looked at the end.
    fn missing_from(&self, cause: String, places: &str) -> EngineError {
        EngineError::Library {
            library: self.name,
            cause,
            remedy: format!(
                "Run `cargo xtask setup` in a checkout, or `pip install {}`. Then set the property runtime-library (or the \
                 variable {}) to the path of {} in the package{places}",
                self.package,
                self.variable,
                self.file_name()
            ),
        }
    }

    /// Whether `path` is, by its name, the other runtime's library: both are named by the same property.
    fn is_another(&self, path: &Path) -> bool {
        [&ONNX_RUNTIME, &OPENVINO]
            .into_iter()
            .any(|other| other.stem != self.stem && other.is_library(path))
    }

    /// Whether `path` has the name of this library on this system, with any version.
    pub fn is_library(&self, path: &Path) -> bool {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return false };
        let Some(rest) = name
            .strip_prefix(std::env::consts::DLL_PREFIX)
            .and_then(|name| name.strip_prefix(self.stem))
        else {
            return false;
        };
        if cfg!(target_os = "macos") {
            rest.starts_with('.') && rest.ends_with(".dylib")
        } else {
            rest.strip_prefix(std::env::consts::DLL_SUFFIX)
                .is_some_and(|version| version.is_empty() || version.starts_with('.'))
        }
    }

    fn file_name(&self) -> String {
        format!("{}{}{}", std::env::consts::DLL_PREFIX, self.stem, std::env::consts::DLL_SUFFIX)
    }

    fn newest_in(&self, dir: &Path) -> Option<PathBuf> {
        let dir = std::path::absolute(dir).ok()?;
        std::fs::read_dir(dir)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| self.is_library(path) && path.is_file())
            .max_by(|a, b| compare_versions(a, b))
    }
}

/// The version in a library's name, following links to the file that carries it: "1.31.1"; empty if there is none.
pub(super) fn version(library: &Path) -> String {
    let file = library.canonicalize().unwrap_or_else(|_| library.to_owned());
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let numbers: Vec<_> =
        name.split('.').filter(|part| part.bytes().all(|b| b.is_ascii_digit())).collect();
    numbers.join(".")
}

/// The newest version of a library called `stem` in `beside` and where the system's own loader looks; empty if it is nowhere.
pub(super) fn version_of(stem: &str, beside: Option<&Path>) -> String {
    let start = format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let is_one = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(&start))
    };
    let folders = system_directories(&|name| std::env::var_os(name));
    let files = beside.map(Path::to_owned).into_iter().chain(folders);
    let files = files.flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten());
    let files = files.filter_map(|entry| Some(entry.ok()?.path())).filter(is_one);
    files.max_by(|a, b| compare_versions(a, b)).map(|path| version(&path)).unwrap_or_default()
}

fn compare_versions(a: &Path, b: &Path) -> Ordering {
    let numbers = |path: &Path| -> Vec<u32> {
        version(path).split('.').filter_map(|part| part.parse().ok()).collect()
    };
    // The name settles it where two files carry the same version, so that the choice never depends on the file system.
    numbers(a).cmp(&numbers(b)).then_with(|| a.cmp(b))
}

/// Directories in which the system's own loader would look.
pub(super) fn system_directories(variable: &impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    if cfg!(windows) {
        // Not System32: see above.
        return Vec::new();
    }
    let (path, fixed): (_, &[&str]) = if cfg!(target_os = "macos") {
        ("DYLD_LIBRARY_PATH", &["/opt/homebrew/lib", "/usr/local/lib"])
    } else {
        (
            "LD_LIBRARY_PATH",
            &[
                "/usr/local/lib",
                "/usr/local/lib64",
                #[cfg(target_arch = "x86_64")]
                "/usr/lib/x86_64-linux-gnu",
                #[cfg(target_arch = "aarch64")]
                "/usr/lib/aarch64-linux-gnu",
                "/usr/lib64",
                "/usr/lib",
                "/opt/intel/openvino/runtime/lib/intel64",
            ],
        )
    };
    let own = variable(path).unwrap_or_default();
    std::env::split_paths(&own)
        .filter(|dir| dir.is_absolute())
        .chain(fixed.iter().map(PathBuf::from))
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn names_are_told_apart() {
        let is = |name: &str| ONNX_RUNTIME.is_library(Path::new(name));
        assert!(is("/a/libonnxruntime.so") && is("libonnxruntime.so.1.31.1"));
        assert!(!is("libonnxruntime_providers_shared.so") && !is("libonnxruntime.sox"));
        assert!(ONNX_RUNTIME.is_another(Path::new("/a/libopenvino_c.so.2641")));
        assert!(!ONNX_RUNTIME.is_another(Path::new("/a/mine.so")));
    }

    #[test]
    fn the_newest_in_the_first_directory_that_has_one_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(ONNX_RUNTIME.folder);
        std::fs::create_dir_all(&folder).unwrap();
        for version in ["1.9.0", "1.31.1", "1.22.0"] {
            std::fs::write(folder.join(format!("libonnxruntime.so.{version}")), "").unwrap();
        }
        let options = EngineOptions {
            search: vec!["/nonexistent".into(), dir.path().into()],
            ..EngineOptions::default()
        };
        let found = ONNX_RUNTIME.find_with(&options, none).unwrap();
        assert_eq!(found, folder.join("libonnxruntime.so.1.31.1"));
        assert_eq!(version(&found), "1.31.1");
    }

    #[test]
    fn a_given_path_must_exist_and_the_property_wins_over_the_variable() {
        let options = EngineOptions {
            runtime_library: Some("/nonexistent/libonnxruntime.so".into()),
            ..EngineOptions::default()
        };
        let error = ONNX_RUNTIME.find_with(&options, |_| Some("/elsewhere".into())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("runtime-library=/nonexistent/libonnxruntime.so"), "{text}");
        // The same property says nothing about the other runtime.
        let error = OPENVINO
            .find_with(&options, |name| (name == "OPENVINO_LIB").then(|| "/elsewhere".into()))
            .unwrap_err();
        assert!(error.to_string().contains("OPENVINO_LIB=/elsewhere does not exist"), "{error}");
    }

    #[test]
    fn nothing_found_says_where_and_what_to_do() {
        let options = EngineOptions { search: vec!["/nonexistent".into()], ..Default::default() };
        let fake = Runtime { stem: "no_such_runtime", ..ONNX_RUNTIME };
        let text = fake.find_with(&options, none).unwrap_err().to_string();
        for part in ["/nonexistent/runtimes/onnxruntime", "/usr/lib", "pip install", "xtask setup"]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
