collect_ignore = ["planted"]  # projects of their own, which test_explore_planted.py runs
