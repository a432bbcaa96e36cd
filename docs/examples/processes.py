"""Plain functions that compute for long, in processes of their own."""

from __future__ import annotations

from fluxus_rx import run, step


def count_primes(below: int) -> dict[str, int]:
    sieve = bytearray([1]) * below
    sieve[:2] = bytes(2)
    for n in range(2, int(below**0.5) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, below, n)))
    return {"primes": sum(sieve)}


flow = step("limits", [{"below": 10**n} for n in range(1, 7)]) >> step(
    "count", count_primes
).options(executor="process", concurrency=2)


def main() -> None:
    for output in run(flow)[0]:
        print(f"{output['count']['primes']:,} primes below {output['limits']['below']:,}")


if __name__ == "__main__":
    main()
