"""AlphaGo-style play: games, a policy/value network, tree search, and learning by self-play (Silver et al. 2017)."""
