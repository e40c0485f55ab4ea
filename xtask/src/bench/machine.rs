//! What everything ran on.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::runners::Precision;
use crate::test;

/// This machine.
#[derive(Debug)]
pub struct Machine {
    /// Name of the processor.
    pub cpu: String,
    /// Threads that run at once.
    pub threads: usize,
    /// Instructions that matter to networks.
    pub features: Vec<String>,
    /// Load of the machine when the benchmark began: other programs disturb it.
    pub load: String,
    /// The day, YYYY-MM-DD.
    pub date: String,
    peak: Option<Peak>,
}

/// What a loop of multiply-adds between registers reaches on all threads, FLOP/s.
#[derive(Debug)]
struct Peak {
    fp32: f64,
    bf16: Option<f64>,
}

impl Machine {
    /// Looks, and measures the peak.
    pub fn look(root: &Path) -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = info.lines().find(|line| line.starts_with(name));
            line.and_then(|line| Some(line.split_once(':')?.1.trim())).unwrap_or_default()
        };
        let features = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16"];
        let has = field("flags");
        let has = |name: &&&str| has.split(' ').any(|flag| flag == **name);
        let output = |program, argument| {
            let output = Command::new(program).arg(argument).output();
            output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
        };
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let threads = thread::available_parallelism().map_or(1, usize::from);
        Self {
            cpu: field("model name").to_owned(),
            threads,
            features: features.iter().filter(has).map(|name| name.to_string()).collect(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
            date: output("date", "+%F"),
            peak: peak(root, threads),
        }
    }

    /// FLOP/s of all threads, where it was measured.
    pub fn peak(&self, precision: Precision) -> Option<f64> {
        let peak = self.peak.as_ref()?;
        match precision {
            Precision::Fp32 => Some(peak.fp32),
            Precision::Bf16 => peak.bf16,
        }
    }

    /// One phrase.
    pub fn describe(&self) -> String {
        let mut text = format!("{}, {} threads", self.cpu, self.threads);
        if !self.features.is_empty() {
            text += &format!(" ({})", self.features.join(", "));
        }
        let gflops = |flops: f64| format!("{:.0} GFLOP/s", flops / 1e9);
        if let Some(peak) = &self.peak {
            text += &format!(", peak {} fp32", gflops(peak.fp32));
            if let Some(bf16) = peak.bf16 {
                text += &format!(" and {} bf16", gflops(bf16));
            }
        }
        text
    }
}

/// What `benches/kernels` measures on one core, for all threads; none where it cannot be run.
fn peak(root: &Path, threads: usize) -> Option<Peak> {
    if !root.join("benches/kernels").is_dir() {
        return None;
    }
    let mut cargo = test::cargo(root);
    // No kernel has this name: only the peak is measured.
    cargo.args(["bench", "--quiet", "--bench", "kernels", "--", "peak alone"]);
    let [fp32, bf16] = read_peak(&String::from_utf8_lossy(&cargo.output().ok()?.stdout))?;
    let all = |gflops: f64| Some(gflops * 1e9 * threads as f64).filter(|&flops| flops > 0.0);
    Some(Peak { fp32: all(fp32)?, bf16: all(bf16) })
}

/// The line `register-only peak: [FP32, BF16] GFLOP/s`; 0 is what the processor cannot do.
fn read_peak(text: &str) -> Option<[f64; 2]> {
    let line = text.lines().find_map(|line| line.strip_prefix("register-only peak: ["))?;
    let (fp32, bf16) = line.split_once(']')?.0.split_once(',')?;
    Some([fp32.trim().parse().ok()?, bf16.trim().parse().ok()?])
}

#[cfg(test)]
mod tests {
    use super::read_peak;

    #[test]
    fn peaks_are_read_from_their_line() {
        let text = "register-only peak: [255, 527.5] GFLOP/s (fp32, bf16)\n\nnetwork\n";
        assert_eq!(read_peak(text), Some([255.0, 527.5]));
        assert_eq!(read_peak("nothing"), None);
    }
}
