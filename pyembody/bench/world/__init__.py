"""A quadruped's world model, policy and reward of drawn numbers, and torch's own versions of their rollouts."""
