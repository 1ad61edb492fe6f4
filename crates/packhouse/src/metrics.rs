//! Counters of the process, for Prometheus. Labels are fixed: nothing that a user names becomes one.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use audit::Counts;

/// What answered a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// A package format, by its place in the list of them.
    Packages(usize),
    /// The `CodeArtifact` operations.
    CodeArtifact,
    /// IAM, STS and the EC2 corner.
    Query,
    /// Our own operations.
    Own,
    /// Health, metrics, and what is nowhere.
    Other,
}

/// Upper ends of the classes of duration, in seconds.
const SECONDS: [f64; 8] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

/// All counters. Each is exact on its own; two may be a request apart.
pub(crate) struct Metrics {
    faces: Vec<(String, Counters)>,
    formats: usize,
    /// Connections open now.
    pub(crate) connections: AtomicI64,
    /// Connections closed because their address had enough of them.
    pub(crate) refused: AtomicU64,
    /// Requests being answered now.
    pub(crate) running: AtomicI64,
    /// Requests whose code panicked.
    pub(crate) panics: AtomicU64,
}

#[derive(Default)]
struct Counters {
    /// By the first digit of the status.
    statuses: [AtomicU64; 5],
    /// By class of duration; the last one has no end.
    durations: [AtomicU64; SECONDS.len() + 1],
    microseconds: AtomicU64,
    bytes: AtomicU64,
}

impl Metrics {
    /// Counters for these formats and the other faces.
    pub(crate) fn new<'a>(formats: impl IntoIterator<Item = &'a str>) -> Self {
        let mut faces: Vec<_> = formats
            .into_iter()
            .map(|format| (format.to_owned(), Counters::default()))
            .collect();
        let formats = faces.len();
        faces.extend(
            ["codeartifact", "query", "packhouse", "other"]
                .map(|name| (name.to_owned(), Counters::default())),
        );
        Self {
            faces,
            formats,
            connections: AtomicI64::new(0),
            refused: AtomicU64::new(0),
            running: AtomicI64::new(0),
            panics: AtomicU64::new(0),
        }
    }

    /// Counts an answer whose last byte has been sent.
    pub(crate) fn answered(&self, face: Face, status: u16, took: Duration, bytes: u64) {
        let place = match face {
            Face::Packages(format) => format.min(self.formats),
            Face::CodeArtifact => self.formats,
            Face::Query => self.formats + 1,
            Face::Own => self.formats + 2,
            Face::Other => self.formats + 3,
        };
        let counters = &self.faces[place].1;
        let class = usize::from(status / 100).clamp(1, 5) - 1;
        counters.statuses[class].fetch_add(1, Ordering::Relaxed);
        let seconds = took.as_secs_f64();
        let class = SECONDS
            .iter()
            .position(|end| seconds <= *end)
            .unwrap_or(SECONDS.len());
        counters.durations[class].fetch_add(1, Ordering::Relaxed);
        counters.microseconds.fetch_add(
            u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        counters.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The page, in Prometheus's text form.
    ///
    /// `audit`: what the ledger has done.
    pub(crate) fn page(&self, audit: Counts) -> String {
        let mut page = String::with_capacity(16 * 1024);
        // Writing to a string cannot fail.
        _ = self.write(&mut page, audit);
        page
    }

    fn write(&self, page: &mut String, audit: Counts) -> std::fmt::Result {
        writeln!(
            page,
            "# HELP packhouse_requests_total Requests answered.\n# TYPE packhouse_requests_total counter"
        )?;
        for (face, counters) in &self.faces {
            for (class, count) in counters.statuses.iter().enumerate() {
                let (class, count) = (class + 1, count.load(Ordering::Relaxed));
                writeln!(
                    page,
                    "packhouse_requests_total{{face=\"{face}\",status=\"{class}xx\"}} {count}"
                )?;
            }
        }
        writeln!(
            page,
            "# HELP packhouse_request_duration_seconds From the request's head to the answer's last byte.\n\
             # TYPE packhouse_request_duration_seconds histogram"
        )?;
        for (face, counters) in &self.faces {
            let mut sum = 0;
            for (class, count) in counters.durations.iter().enumerate() {
                sum += count.load(Ordering::Relaxed);
                let end = SECONDS
                    .get(class)
                    .map_or_else(|| "+Inf".to_owned(), f64::to_string);
                writeln!(
                    page,
                    "packhouse_request_duration_seconds_bucket{{face=\"{face}\",le=\"{end}\"}} {sum}"
                )?;
            }
            let took =
                Duration::from_micros(counters.microseconds.load(Ordering::Relaxed)).as_secs_f64();
            writeln!(
                page,
                "packhouse_request_duration_seconds_sum{{face=\"{face}\"}} {took}"
            )?;
            writeln!(
                page,
                "packhouse_request_duration_seconds_count{{face=\"{face}\"}} {sum}"
            )?;
        }
        writeln!(
            page,
            "# HELP packhouse_sent_bytes_total Bytes of bodies sent.\n# TYPE packhouse_sent_bytes_total counter"
        )?;
        for (face, counters) in &self.faces {
            let bytes = counters.bytes.load(Ordering::Relaxed);
            writeln!(
                page,
                "packhouse_sent_bytes_total{{face=\"{face}\"}} {bytes}"
            )?;
        }
        self.write_process(page, audit)
    }

    /// What has no face.
    fn write_process(&self, page: &mut String, audit: Counts) -> std::fmt::Result {
        writeln!(
            page,
            "# HELP packhouse_build_info Which version runs.\n# TYPE packhouse_build_info gauge\n\
             packhouse_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        )?;
        let counted = |count| i64::try_from(count).unwrap_or(i64::MAX);
        for (name, kind, about, value) in [
            (
                "packhouse_audit_records_total",
                "counter",
                "Requests recorded in the audit log.",
                counted(audit.recorded),
            ),
            (
                "packhouse_audit_lost_total",
                "counter",
                "Requests that the audit log could only count.",
                counted(audit.lost),
            ),
            (
                "packhouse_audit_failures_total",
                "counter",
                "Times when the audit log could not be written.",
                counted(audit.failures),
            ),
            (
                "packhouse_connections",
                "gauge",
                "Connections open.",
                self.connections.load(Ordering::Relaxed),
            ),
            (
                "packhouse_connections_refused_total",
                "counter",
                "Connections closed because their address had enough of them.",
                counted(self.refused.load(Ordering::Relaxed)),
            ),
            (
                "packhouse_requests_running",
                "gauge",
                "Requests being answered.",
                self.running.load(Ordering::Relaxed),
            ),
            (
                "packhouse_panics_total",
                "counter",
                "Requests that ended in a defect.",
                i64::try_from(self.panics.load(Ordering::Relaxed)).unwrap_or(i64::MAX),
            ),
        ] {
            writeln!(
                page,
                "# HELP {name} {about}\n# TYPE {name} {kind}\n{name} {value}"
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_face_status_and_duration() {
        let metrics = Metrics::new(["maven", "npm"]);
        metrics.answered(Face::Packages(1), 200, Duration::from_millis(3), 10);
        metrics.answered(Face::Packages(1), 200, Duration::from_secs(100), 5);
        metrics.answered(Face::CodeArtifact, 404, Duration::ZERO, 1);
        metrics.answered(Face::Packages(7), 999, Duration::ZERO, 0);
        let counts = Counts {
            recorded: 7,
            lost: 0,
            failures: 0,
        };
        let page = metrics.page(counts);
        for line in [
            "packhouse_requests_total{face=\"npm\",status=\"2xx\"} 2",
            "packhouse_requests_total{face=\"codeartifact\",status=\"4xx\"} 1",
            "packhouse_requests_total{face=\"codeartifact\",status=\"5xx\"} 1",
            "packhouse_request_duration_seconds_bucket{face=\"npm\",le=\"0.001\"} 0",
            "packhouse_request_duration_seconds_bucket{face=\"npm\",le=\"0.005\"} 1",
            "packhouse_request_duration_seconds_bucket{face=\"npm\",le=\"+Inf\"} 2",
            "packhouse_request_duration_seconds_sum{face=\"npm\"} 100.003",
            "packhouse_sent_bytes_total{face=\"npm\"} 15",
            "packhouse_connections 0",
            concat!(
                "packhouse_build_info{version=\"",
                env!("CARGO_PKG_VERSION"),
                "\"} 1"
            ),
            "packhouse_audit_records_total 7",
        ] {
            assert!(page.lines().any(|found| found == line), "no {line}");
        }
    }
}
