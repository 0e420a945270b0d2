"""What a store needs to know, as values that are valid: address, token, certificates, proxy, times."""
