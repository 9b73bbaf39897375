"""The same verdicts computed with the engines people would use instead; each in the best form we know."""
