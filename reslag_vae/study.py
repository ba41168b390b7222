"""The command `python -m reslag_vae.study`, which shows how far a study is."""

from reslag_vae.studies.command import main

if __name__ == "__main__":
    main()
