"""The operations of the interface, which know no network: requests, answers, retries, listings, watches, leases."""
