"""Many recordings: a manifest becomes a file of reports, on the processes of one machine."""
