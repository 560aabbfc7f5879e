"""Goldens of the AnimateDiff pipeline: whole runs, tokenised prompts, names in single-file checkpoints.

    python generate.py
"""
import prompts
import runs
import single_file

if __name__ == "__main__":
    runs.main()
    prompts.main(runs.OUT)
    single_file.main(runs.OUT)
