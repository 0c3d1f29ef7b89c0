"""A learner over time: past reports, what changed in them, and a page that shows it. Nothing is stored anywhere."""
