"""What a team coordinates with: votes, agreement on claims, novelty, progress, restarts, channels."""
