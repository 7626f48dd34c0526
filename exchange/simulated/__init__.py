"""The simulated venue: matching, queue position, latency, costs, funding, margin, refusals."""
