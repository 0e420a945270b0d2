"""The version of the library: that of the project, which a test compares with Cargo.toml."""

__version__ = "0.1.0"
