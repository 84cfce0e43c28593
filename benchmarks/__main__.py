"""Run every benchmark: `python -m benchmarks`."""

from benchmarks import bootstrap, check, defects, fetch, overhead, startup, submit_fuzz, watching

if __name__ == "__main__":
    startup.main()
    fetch.main()
    watching.main()
    submit_fuzz.main()
    check.main()
    defects.main()
    bootstrap.main()
    overhead.main()
