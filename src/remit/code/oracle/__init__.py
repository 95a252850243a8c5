"""TestOracle: what a test run says, whichever runner wrote it."""
