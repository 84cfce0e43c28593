"""Run every benchmark: `python -m benchmarks`."""

from benchmarks import fetch, startup, submit_fuzz, watching

if __name__ == "__main__":
    startup.main()
    fetch.main()
    watching.main()
    submit_fuzz.main()
