"""The choice of master, auxiliary and injection stride."""
