//! What hits a limit, and what does not.

use super::{Claim, Counted, Limit, Quota};
use trunkline_api::access::TenantLimits;
use trunkline_api::core::code::Code;

fn limits(open_runs: Option<u64>, open_jobs: Option<u64>) -> TenantLimits {
    TenantLimits {
        open_runs,
        open_jobs,
        ..TenantLimits::default()
    }
}

#[test]
fn a_claim_hits_only_what_it_adds_to() {
    let counted = Counted {
        runs: 3,
        jobs: 10,
        disk_bytes: 100,
        ..Counted::default()
    };
    let hit = |limits, runs, jobs| counted.hit(limits, Claim { runs, jobs });
    assert_eq!(hit(limits(Some(4), None), 1, 0), None, "the last one");
    let full = limits(Some(3), Some(10));
    assert_eq!(hit(full, 1, 0), Some((Limit::Runs, 3)));
    assert_eq!(hit(full, 0, 1), Some((Limit::Jobs, 10)));
    assert_eq!(hit(full, 0, 0), None, "a signal adds neither");
    assert_eq!(
        hit(limits(None, Some(12)), 0, 3),
        Some((Limit::Jobs, 12)),
        "all of a request or nothing"
    );
    let disk = TenantLimits {
        disk_bytes: Some(100),
        ..TenantLimits::default()
    };
    assert_eq!(hit(disk, 0, 0), Some((Limit::Disk, 100)));
}

#[test]
fn requests_beyond_the_rate_are_refused_and_counted() {
    let quota = Quota::new(TenantLimits::default(), None);
    assert!((0..1_000).all(|_| quota.take_request().is_ok()), "no limit");

    quota.set(TenantLimits {
        requests_per_second: Some(1),
        ..TenantLimits::default()
    });
    assert_eq!(quota.take_request(), Ok(()));
    // However slow this machine is, a thousand requests do not take a thousand seconds.
    let refused: Vec<_> = (0..1_000)
        .filter_map(|_| quota.take_request().err())
        .collect();
    assert!(refused.len() > 900, "{}", refused.len());
    assert_eq!(refused[0].code, Code::TenantBusy);
    assert_eq!(quota.refused(Limit::Requests), refused.len() as u64);

    quota.set(TenantLimits::default());
    assert_eq!(quota.take_request(), Ok(()), "no limit any more");
}
